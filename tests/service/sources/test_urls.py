from __future__ import annotations

from pathlib import Path

import pytest

from service.config.broker_address import BrokerAddress
from service.mqtt.sample_subscription import SampleSubscription
from service.sources.mqtt_source import MqttSource
from service.sources.replay_source import ReplaySource
from service.sources.serial_source import SerialSource
from service.sources.tcp_source import TcpSource
from service.sources.urls import parse_source, parse_sources
from stinger.errors import InputError

BROKER = SampleSubscription(BrokerAddress("127.0.0.1", 1883))


@pytest.mark.parametrize(
    ("url", "kind", "device"),
    [
        ("serial:///dev/ttyACM0", SerialSource, "ttyACM0"),
        (
            "serial:///dev/serial/by-id/usb-Raspberry_Pi_Pico_E6:60-if00",
            SerialSource,
            "usb-Raspberry_Pi_Pico_E6-60-if00",
        ),
        ("serial://COM3", SerialSource, "COM3"),
        ("serial://auto", SerialSource, "blaster"),
        ("serial://auto?device=lena&baud=921600", SerialSource, "lena"),
        ("tcp://blaster-7.local:5000", TcpSource, "blaster-7-local-5000"),
        ("tcp://[::1]:5000?device=x", TcpSource, "x"),
        ("replay:logs/ml_log.bin", ReplaySource, "ml_log"),
        ("replay:/tmp/a%20b.csv?speed=0&loop=3", ReplaySource, "a-b"),
        ("REPLAY:100%.csv?loop=forever", ReplaySource, "100"),
    ],
)
def test_url_names_a_device(url: str, kind: type, device: str) -> None:
    source = parse_source(url)
    assert type(source) is kind
    assert not isinstance(source, MqttSource)
    assert source.device == device
    assert source.url == url


def test_mqtt_takes_the_broker_at_hand() -> None:
    assert isinstance(parse_source("mqtt:", BROKER), MqttSource)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/dev/ttyACM0", "expected one of serial:"),
        ("udp://host:1", "unknown kind of source 'udp'"),
        ("C:/logs/a.bin", "unknown kind of source 'C'"),
        ("serial:", "expected a port"),
        ("serial://", "expected a port"),
        ("serial:/dev/ttyACM0", "expected a port"),
        ("serial:///dev/ttyACM0?baud=fast", "baud 'fast': expected a whole number from 50"),
        ("serial:///dev/ttyACM0?speed=1", "no option 'speed': it has device, baud"),
        ("tcp://host", "port from 1 to 65535"),
        ("tcp://host:", "port from 1 to 65535"),
        ("tcp://host:0", "port from 1 to 65535"),
        ("tcp://host:65536", "port from 1 to 65535"),
        ("tcp://host:http", "port from 1 to 65535"),
        ("tcp://:5000", "port from 1 to 65535"),
        ("tcp:host:5000", "port from 1 to 65535"),
        ("tcp://[::1:5000", "port from 1 to 65535"),
        ("tcp://host:5000/path", "port from 1 to 65535"),
        ("tcp://me:secret@host:5000", "no user and password"),
        ("replay:", "expected the path"),
        ("replay:a.bin?speed=-1", "speed '-1'"),
        ("replay:a.bin?speed=nan", "speed 'nan'"),
        ("replay:a.bin?speed=fast", "or 0 for as fast as possible"),
        ("replay:a.bin?loop=-1", "loop '-1'"),
        ("replay:a.bin?loop=1&loop=2", "an option twice"),
        ("replay:a.bin?loop", "are no options"),
        ("replay:a.bin?device=a/b", "such as a-b"),
        ("replay:a.bin?device=", "letters, digits"),
        ("mqtt://host", "write mqtt:"),
        ("mqtt:?device=x", "mqtt: has no option 'device'"),
    ],
)
def test_mistake_is_one_clear_line(url: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_source(url, BROKER)
    assert said in str(raised.value)
    assert url in str(raised.value)
    assert "\n" not in str(raised.value)


def test_mqtt_needs_a_broker() -> None:
    with pytest.raises(InputError, match="--broker"):
        parse_source("mqtt:")


def test_two_sources_of_one_device_are_refused() -> None:
    with pytest.raises(InputError, match=r"\?device=NAME"):
        parse_sources(["replay:a/log.bin", "replay:b/log.bin"])
    assert len(parse_sources(["replay:a/log.bin", "replay:b/log.bin?device=b"])) == 2
    with pytest.raises(InputError, match="once is enough"):
        parse_sources(["mqtt:", "mqtt:"], BROKER)


def test_home_of_the_user_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_source("replay:~/a.bin").url == "replay:~/a.bin"


def test_home_of_somebody_unknown_is_a_file_name() -> None:
    (source,) = parse_sources(["replay:~nobody-here/x.bin"], None)
    assert isinstance(source, ReplaySource)
    assert source.path == Path("~nobody-here/x.bin")


def test_no_device_is_called_as_the_daemon_is() -> None:
    with pytest.raises(InputError, match="but not daemon"):
        parse_source("tcp://host:1?device=daemon")
    source = parse_source("replay:daemon.bin")
    assert isinstance(source, ReplaySource)
    assert source.device == "daemon-1"

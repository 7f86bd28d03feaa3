"""Source URLs: what is understood, and what is refused with a clear line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config.source_url import (
    MqttUrl,
    NatsUrl,
    ReplayUrl,
    SerialUrl,
    SharedUrl,
    SourceUrl,
    TcpUrl,
    parse_source_url,
    parse_source_urls,
)
from stinger.device_name import DeviceName, parse_device_name
from stinger.errors import InputError


def refusal(*texts: str) -> str:
    with pytest.raises(InputError) as raised:
        parse_source_urls(texts)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("url", "kind", "device"),
    [
        ("serial:///dev/ttyACM0", SerialUrl, "ttyACM0"),
        (
            "serial:///dev/serial/by-id/usb-Raspberry_Pi_Pico_E6:60-if00",
            SerialUrl,
            "usb-Raspberry_Pi_Pico_E6-60-if00",
        ),
        ("serial://COM3", SerialUrl, "COM3"),
        ("SERIAL://COM3", SerialUrl, "COM3"),
        ("serial://auto", SerialUrl, "blaster"),
        ("serial://auto?device=lena&baud=921600", SerialUrl, "lena"),
        ("tcp://blaster-7.local:5000", TcpUrl, "blaster-7-local-5000"),
        ("tcp://[::1]:5000?device=x", TcpUrl, "x"),
        ("replay:logs/ml_log.bin", ReplayUrl, "ml_log"),
        ("replay:/tmp/a%20b.csv?speed=0&loop=3", ReplayUrl, "a-b"),
        ("REPLAY:100%.csv?loop=forever", ReplayUrl, "100"),
        ("replay:daemon.bin", ReplayUrl, "daemon-1"),
        ("replay:a.bin?device=-a", ReplayUrl, "-a"),
    ],
)
def test_url_names_a_device(url: str, kind: type, device: str) -> None:
    parsed = parse_source_url(url)
    assert type(parsed) is kind
    assert not isinstance(parsed, SharedUrl)
    assert parsed.device == device
    assert str(parsed) == url


def test_every_part_of_a_url_is_parsed() -> None:
    device = DeviceName("x")
    assert parse_source_url("serial:///dev/a%20b?device=x&baud=9600") == SerialUrl("", device, "/dev/a b", 9600)
    assert parse_source_url("serial://AUTO?device=x") == SerialUrl("", device, None, None)
    assert parse_source_url("tcp://[::1]:50?device=x") == TcpUrl("", device, "::1", 50)
    assert parse_source_url("replay:a?device=x&speed=0.5&loop=2") == ReplayUrl("", device, Path("a"), 0.5, 2)
    assert parse_source_url("replay:a?device=x&loop=forever") == ReplayUrl("", device, Path("a"), 1.0, None)
    assert parse_source_url("mqtt:") == MqttUrl("")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("/dev/ttyACM0", "expected serial:"),
        ("", "expected serial:"),
        ("udp://host:1", "unknown kind of source: expected serial:"),
        ("C:/logs/a.bin", "unknown kind of source"),
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
        ("tcp://a..b:5000", "port from 1 to 65535"),
        ("replay:", "expected the path"),
        ("replay:a%00b", "NUL character"),
        ("serial:///dev/a%00b", "NUL character"),
        ("tcp://host:1\n?device=a", "control character"),
        ("replay:a\tb", "control character"),
        ("replay:a.bin?speed=-1", "speed '-1'"),
        ("replay:a.bin?speed=nan", "speed 'nan'"),
        ("replay:a.bin?speed=fast", "or 0 for as fast as possible"),
        ("replay:a.bin?loop=-1", "loop '-1'"),
        ("replay:a.bin?loop=1&loop=2", "an option twice"),
        ("replay:a.bin?loop", "expected name=value"),
        ("replay:a.bin?device=a/b", "such as a-b"),
        ("replay:a.bin?device=", "letters, digits"),
        ("tcp://host:1?device=daemon", "but not daemon"),
        ("mqtt://host", "write mqtt: alone"),
        ("mqtts:", "write mqtt:, set the broker with --broker mqtts://host"),
        ("mqtts://host", "write mqtt:, set the broker with --broker mqtts://host"),
        ("mqtt:?device=x", "mqtt: has no option 'device'"),
    ],
)
def test_mistake_is_one_clear_line_with_the_url(url: str, problem: str) -> None:
    message = refusal("replay:fine.bin", url)
    assert message.startswith(f"{url!r}: ")
    assert problem in message


@pytest.mark.parametrize(
    "url",
    [
        "tcp://me:sesame@host:5000",
        "mqtt://me:sesame@host",
        "mqtts://me:ses@me:sesame@host:1/x",
        "http://me:sesame@host",
        "tcp:me:sesame@host",
        "tcp://me:sesame@[::1:5000",
    ],
)
def test_what_may_be_a_password_is_not_repeated(url: str) -> None:
    message = refusal(url)
    assert "sesame" not in message
    assert "host" in message or "::1" in message


def test_two_sources_of_one_device_are_refused() -> None:
    assert refusal("replay:a/log.bin", "replay:b/log.bin") == (
        "'replay:b/log.bin': 'replay:a/log.bin' is called log as well: name one of them with ?device=NAME"
    )
    assert len(parse_source_urls(["replay:a/log.bin", "replay:b/log.bin?device=b"])) == 2
    assert "once is enough" in refusal("mqtt:", "mqtt:")


def test_home_of_the_user_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    url = parse_source_url("replay:~/a.bin")
    assert isinstance(url, ReplayUrl)
    assert (url.path, str(url)) == (tmp_path / "a.bin", "replay:~/a.bin")


def test_home_of_an_unknown_user_is_a_file_name() -> None:
    url = parse_source_url("replay:~nobody-here/x.bin")
    assert isinstance(url, ReplayUrl)
    assert url.path == Path("~nobody-here/x.bin")


_parts = st.sampled_from(
    [
        *(
            "serial:",
            "tcp:",
            "replay:",
            "mqtt:",
            "mqtts:",
            "//",
            "/",
            "auto",
            "host",
            ":5000",
            "@",
            "?",
            "&",
            "device=",
        ),
        *("x", "baud=", "speed=", "loop=", "9600", "forever", "%00", "%", "[", "]", "~", "é", "\n", "\udcff"),
    ]
)


@given(st.text(max_size=40) | st.lists(_parts, max_size=8).map("".join))
def test_any_text_is_a_source_url_or_one_line(text: str) -> None:
    try:
        url = parse_source_url(text)
    except InputError as error:
        refused = str(error)
        assert len(refused.splitlines()) == 1
    else:
        assert str(url) == text
        assert parse_source_url(str(url)) == url


@given(
    st.sampled_from(["serial:///dev/x", "serial://COM9", "tcp://h:1", "replay:x"]),
    st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True).filter(lambda name: name != "daemon"),
)
def test_a_device_that_is_named_in_the_url_is_taken_as_it_is(url: str, device: str) -> None:
    parsed: SourceUrl = parse_source_url(f"{url}?device={device}")
    assert not isinstance(parsed, SharedUrl)
    assert parsed.device == parse_device_name(device)
    assert re.search(rf"device={device}$", str(parsed))


def test_nats_url_names_servers_stream_partitions_and_group() -> None:
    url = parse_source_url("nats://a,b:4333?stream=SAMPLES&partitions=8&group=hall&replicas=3")
    assert isinstance(url, NatsUrl)
    assert url.servers == (("a", 4222), ("b", 4333))
    assert (url.stream, url.partitions, url.group, url.replicas) == ("SAMPLES", 8, "hall", 3)
    defaults = parse_source_url("nats://a?stream=S")
    assert isinstance(defaults, NatsUrl)
    assert (defaults.partitions, defaults.group, defaults.replicas, defaults.user) == (16, "stinger", 1, None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nats:", "expected a server"),
        ("nats://", "expected a server"),
        ("nats://host", "expected stream=NAME"),
        ("nats://host?stream=a b", "expected 1 to 64 letters"),
        ("nats://host?stream=S&partitions=0", "from 1 to 1,024"),
        ("nats://host?stream=S&replicas=6", "from 1 to 5"),
        ("nats://me:sesame@host?stream=S", "write the user as user=NAME"),
        ("nats://host?stream=S&user=me", "belong together"),
        ("nats://host?stream=S&cert_file=c.pem", "certificates need TLS"),
        ("nats://host?stream=S&device=x", "has no option 'device'"),
        ("nats://host:99999?stream=S", "expected servers as HOST or HOST:PORT"),
    ],
)
def test_wrong_nats_url_is_refused_with_what_to_write(text: str, problem: str) -> None:
    message = refusal(text)
    assert problem in message
    assert "sesame" not in message


def test_two_sources_of_many_blasters_are_refused() -> None:
    assert "choose one source of many blasters" in refusal("mqtt:", "nats://host?stream=S")

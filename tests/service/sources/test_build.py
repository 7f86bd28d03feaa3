"""Each source URL becomes the source of its kind."""

from __future__ import annotations

import pytest

from service.config.broker_address import BrokerAddress
from service.config.source_url import parse_source_urls
from service.mqtt.sample_subscription import SampleSubscription
from service.sources.build import build_sources
from service.sources.mqtt_source import MqttSource
from service.sources.replay_source import ReplaySource
from service.sources.serial_source import SerialSource
from service.sources.tcp_source import TcpSource

SUBSCRIBE = SampleSubscription(BrokerAddress("127.0.0.1", 1883))


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("serial:///dev/ttyACM0?baud=9600", SerialSource),
        ("serial://auto", SerialSource),
        ("tcp://host:5000", TcpSource),
        ("replay:a.bin?speed=0&loop=forever", ReplaySource),
        ("mqtt:", MqttSource),
    ],
)
def test_a_url_becomes_the_source_of_its_kind(url: str, kind: type) -> None:
    (source,) = build_sources(parse_source_urls([url]), SUBSCRIBE)
    assert type(source) is kind
    assert source.url == url


def test_sources_keep_the_order_of_their_urls() -> None:
    urls = ["tcp://a:1", "mqtt:", "replay:b"]
    assert [source.url for source in build_sources(parse_source_urls(urls), SUBSCRIBE)] == urls

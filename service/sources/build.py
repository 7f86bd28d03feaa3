"""Builds the sources of the source URLs in the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from service.base.source import Source
from service.config.source_url import DeviceUrl, MqttUrl, NatsUrl, ReplayUrl, SerialUrl, SourceUrl, TcpUrl
from service.config.topic_root import TopicRoot
from service.sources.device_limit import DeviceLimit
from service.sources.mqtt_source import MqttSource, Subscription
from service.sources.port_opening import DEFAULT_BAUD
from service.sources.replay_source import ReplaySource
from service.sources.serial_source import SerialSource
from service.sources.tcp_source import TcpSource


def build_sources(
    urls: Iterable[SourceUrl],
    subscribe: Subscription,
    limit: DeviceLimit | None = None,
    *,
    join_group: Callable[[NatsUrl], Source] | None = None,
    root: TopicRoot | None = None,
) -> list[Source]:
    """Return a source for each of ``urls``, in their order; opens nothing.

    ``mqtt:`` subscribes with ``subscribe`` and accepts new devices as ``limit`` allows. ``nats:`` is built by
    ``join_group``. ``root`` is where topics below ``stinger`` are at the broker.
    """
    return [
        MqttSource(str(url), subscribe, limit=limit, root=root) if isinstance(url, MqttUrl) else _build(url, join_group)
        for url in urls
    ]


def build_device_source(url: DeviceUrl) -> Source:
    """Return the source of one device; opens nothing."""
    match url:
        case SerialUrl():
            return SerialSource(str(url), url.device, url.path, DEFAULT_BAUD if url.baud is None else url.baud)
        case TcpUrl():
            return TcpSource(str(url), url.device, url.host, url.port)
        case ReplayUrl():
            return ReplaySource(str(url), url.device, url.path, speed=url.speed, loops=url.loops)


def _build(url: DeviceUrl | NatsUrl, join_group: Callable[[NatsUrl], Source] | None) -> Source:
    if isinstance(url, NatsUrl):
        assert join_group is not None
        return join_group(url)
    return build_device_source(url)

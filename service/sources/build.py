"""Builds the sources of the source URLs in the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from service.base.source import Source
from service.config.source_url import MqttUrl, NatsUrl, ReplayUrl, SerialUrl, SourceUrl, TcpUrl
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
) -> list[Source]:
    """Return a source for each of ``urls``, in their order; opens nothing.

    ``mqtt:`` subscribes with ``subscribe`` and accepts new devices as ``limit`` allows. ``nats:`` is built by ``join_group``.
    """
    return [_build(url, subscribe, limit, join_group) for url in urls]


def build_device_source(url: SerialUrl | TcpUrl | ReplayUrl) -> Source:
    """Return the source of one device; opens nothing."""
    match url:
        case SerialUrl():
            return SerialSource(str(url), url.device, url.path, DEFAULT_BAUD if url.baud is None else url.baud)
        case TcpUrl():
            return TcpSource(str(url), url.device, url.host, url.port)
        case ReplayUrl():
            return ReplaySource(str(url), url.device, url.path, speed=url.speed, loops=url.loops)


def _build(
    url: SourceUrl, subscribe: Subscription, limit: DeviceLimit | None, join_group: Callable[[NatsUrl], Source] | None
) -> Source:
    match url:
        case MqttUrl():
            return MqttSource(str(url), subscribe, limit=limit)
        case NatsUrl():
            assert join_group is not None
            return join_group(url)
        case _:
            return build_device_source(url)

"""Forgets devices that are gone: what the daemon knows of them, and what the broker retains about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot
from service.daemon.flow import Flow
from service.daemon.pipeline import Pipeline
from service.mqtt.errors import MqttError
from service.mqtt.forgetting import QUIET_S, forget
from stinger.device_name import DeviceName
from stinger.errors import InputError, UnavailableError


@runtime_checkable
class SourceOfMany(Protocol):
    """A source whose devices appear by publishing."""

    def forget(self, device: DeviceName) -> bool:
        """Forget ``device``; return whether it was known. Raises :class:`InputError` if it still publishes."""


class DeviceForgetter:
    """Forgets devices that no source serves any longer.

    ``sources`` are those whose devices appear by publishing. ``clear`` is called with a device that the pipeline does
    not know, and clears what the broker retains about it; for the others, sinks do that. ``broker`` and ``root`` are
    the daemon's own. After ``quiet_s`` seconds without another retained message, the broker has delivered them all.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        flow: Flow,
        sources: Sequence[SourceOfMany],
        *,
        clear: Callable[[DeviceName], None],
        broker: BrokerAddress,
        root: TopicRoot,
        quiet_s: float = QUIET_S,
    ) -> None:
        self._pipeline = pipeline
        self._flow = flow
        self._sources = sources
        self._clear = clear
        self._broker = broker
        self._root = root
        self._quiet_s = quiet_s

    def forget(self, device: DeviceName) -> None:
        """Forget ``device``. Raises :class:`InputError` if a source serves it, or if it still publishes samples."""
        if device not in self._pipeline.devices:
            self._clear(device)
            return
        if not any(source.forget(device) for source in self._sources):
            raise InputError(f"'{device}' has a source: remove that from the configuration first")
        self._flow.forget(device)

    async def forget_all(self) -> list[DeviceName]:
        """Forget all devices that the broker knows and this daemon does not; return them.

        Raises :class:`UnavailableError` if the broker cannot be read.
        """
        try:
            cleared = await forget(self._broker, self._root, None, quiet_s=self._quiet_s)
        except MqttError as error:
            raise UnavailableError(f"the broker's retained messages cannot be read: {error}") from error
        gone = [device for device in cleared.devices if device not in self._pipeline.devices]
        for device in gone:
            self._clear(device)  # otherwise the next connection publishes their corrected states again
        return gone

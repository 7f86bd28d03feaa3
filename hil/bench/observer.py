"""A subscriber that stamps each message as it comes, in a thread of its own, and looks at none of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from hil.bench.children import PATIENCE_S, ChildError
from hil.measuring.evidence import Heard

FILTER: Final = "stinger/#"
_RECONNECT_S: Final = (1, 1)


class Observer:
    """Subscribed to all that the daemon says while it is entered, through every absence of the broker.

    The broker keeps what it misses meanwhile, where it can. Entering waits until the subscription is there, and raises
    :class:`~hil.bench.children.ChildError` if that takes too long.
    """

    def __init__(self, host: str, port: int, name: str) -> None:
        self._heard: list[Heard] = []
        self._subscribed = threading.Event()
        self._where = (host, port)
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, clean_session=False, protocol=mqtt.MQTTv311
        )
        self._client.reconnect_delay_set(*_RECONNECT_S)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._has_subscribed
        self._client.on_message = self._received

    def __enter__(self) -> Self:
        host, port = self._where
        self._client.connect_async(host, port, keepalive=30)
        self._client.loop_start()
        if not self._subscribed.wait(PATIENCE_S):
            self._client.loop_stop()
            raise ChildError(f"no subscription at the broker {host}:{port}: is it there?")
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        # The client closes the last of its sockets when it goes, which in a circle with this would be who knows when.
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None

    def heard(self) -> Sequence[Heard]:
        """Everything so far, in order."""
        return self._heard[:]

    def publish(self, topic: str, payload: bytes) -> None:
        """Send a message, at QoS 1."""
        self._client.publish(topic, payload, qos=1)

    def _connected(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            client.subscribe(FILTER, qos=1)

    def _has_subscribed(self, *_: Any) -> None:
        self._subscribed.set()

    def _received(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        now_ns = time.monotonic_ns()
        self._heard.append(Heard(now_ns, message.topic, bytes(message.payload), message.retain))

"""An MQTT subscriber that stamps each message on arrival, in a thread of its own, and does not parse any."""

from __future__ import annotations

import asyncio
import select
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from hil.bench.processes import PROCESS_TIMEOUT_S, ProcessError
from hil.measuring.observations import ReceivedMessage

TOPIC_FILTER: Final = "stinger/#"
RECONNECT_S: Final = 0.2
"""How long after a failed or lost connection the next attempt is made."""
_KEEPALIVE_S: Final = 30
_SELECT_TIMEOUT_S: Final = 0.5


class MessageObserver:
    """Subscribes to everything the daemon publishes while entered, and reconnects when the broker returns.

    With a ``persistent`` session, which remains after the observer ends, the broker keeps messages while it is away.
    Entering waits until the broker has confirmed the subscription; raises :class:`~hil.bench.processes.ProcessError` if
    that takes too long.
    """

    def __init__(
        self, host: str, port: int, name: str, *, persistent: bool = True, timeout_s: float = PROCESS_TIMEOUT_S
    ) -> None:
        self._messages: list[ReceivedMessage] = []
        self._subscribed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._address = (host, port)
        self._timeout_s = timeout_s
        self._readable_ns = 0
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, clean_session=not persistent, protocol=mqtt.MQTTv311
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._thread = threading.Thread(target=self._receive, name="observer", daemon=True)

    async def __aenter__(self) -> Self:
        host, port = self._address
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(host, port, keepalive=_KEEPALIVE_S)
        self._thread.start()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._subscribed.wait()
        except TimeoutError:
            await self._close()
            raise ProcessError(f"cannot subscribe at the broker {host}:{port}: is it running?") from None
        except asyncio.CancelledError:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        await self._close()

    def messages(self) -> Sequence[ReceivedMessage]:
        """Return a copy of everything received so far, in order."""
        return self._messages[:]

    async def _close(self) -> None:
        self._stopping.set()
        self._client.disconnect()
        await asyncio.to_thread(self._thread.join, self._timeout_s)
        # The client closes its last socket when it is deleted; without this reference cycle that happens at once.
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None

    def _receive(self) -> None:
        """Take the time, then read, whenever there is data: stamps in paho's own loop would be 0.1 ms later."""
        client = self._client
        while not self._stopping.is_set():
            sock = client.socket()
            if sock is None:
                try:
                    client.reconnect()
                except OSError:
                    self._stopping.wait(RECONNECT_S)
                continue
            try:
                readable, writable, _ = select.select(
                    [sock], [sock] if client.want_write() else [], [], _SELECT_TIMEOUT_S
                )
            except (OSError, ValueError):  # closed in the meantime
                continue
            if readable:
                self._readable_ns = time.monotonic_ns()
                client.loop_read()
            if writable:
                client.loop_write()
            client.loop_misc()

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            client.subscribe(TOPIC_FILTER, qos=1)

    def _on_subscribe(self, *_: Any) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._subscribed.set)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._messages.append(ReceivedMessage(self._readable_ns, message.topic, bytes(message.payload), message.retain))

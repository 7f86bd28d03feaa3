"""A subscriber that stamps each message as it comes, in a thread of its own, and looks at none of them."""

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

from hil.bench.processes import PATIENCE_S, ProcessError
from hil.measuring.observations import ReceivedMessage

FILTER: Final = "stinger/#"
AGAIN_S: Final = 0.2
"""So long after a connection failed, or was lost, the next one is tried."""
_KEEPALIVE_S: Final = 30
_LOOK_S: Final = 0.5


class MessageObserver:
    """Subscribed to all that the daemon says while it is entered, through every absence of the broker.

    With a ``lasting`` session the broker keeps what it misses meanwhile, where it can, and also when the observer is gone.
    Entering waits until the subscription is there, and raises :class:`~hil.bench.processes.ProcessError` if that takes too
    long.
    """

    def __init__(self, host: str, port: int, name: str, *, lasting: bool = True) -> None:
        self._heard: list[ReceivedMessage] = []
        self._subscribed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = threading.Event()
        self._where = (host, port)
        self._readable_ns = 0
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, clean_session=not lasting, protocol=mqtt.MQTTv311
        )
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._has_subscribed
        self._client.on_message = self._received
        self._thread = threading.Thread(target=self._listen, name="observer", daemon=True)

    async def __aenter__(self) -> Self:
        host, port = self._where
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(host, port, keepalive=_KEEPALIVE_S)
        self._thread.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._subscribed.wait()
        except TimeoutError:
            await self._end()
            raise ProcessError(f"no subscription at the broker {host}:{port}: is it there?") from None
        except asyncio.CancelledError:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        await self._end()

    def heard(self) -> Sequence[ReceivedMessage]:
        """Everything so far, in order."""
        return self._heard[:]

    async def _end(self) -> None:
        self._ending.set()
        self._client.disconnect()
        await asyncio.to_thread(self._thread.join, PATIENCE_S)
        # The client closes the last of its sockets when it goes, which in a circle with this would be who knows when.
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None

    def _listen(self) -> None:
        """Read whenever there is something, and take the time before: paho's own loop would stamp a tenth of a ms later."""
        client = self._client
        while not self._ending.is_set():
            sock = client.socket()
            if sock is None:
                try:
                    client.reconnect()
                except OSError:
                    self._ending.wait(AGAIN_S)
                continue
            try:
                readable, writable, _ = select.select([sock], [sock] if client.want_write() else [], [], _LOOK_S)
            except (OSError, ValueError):  # closed meanwhile
                continue
            if readable:
                self._readable_ns = time.monotonic_ns()
                client.loop_read()
            if writable:
                client.loop_write()
            client.loop_misc()

    def _connected(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            client.subscribe(FILTER, qos=1)

    def _has_subscribed(self, *_: Any) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._subscribed.set)

    def _received(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._heard.append(ReceivedMessage(self._readable_ns, message.topic, bytes(message.payload), message.retain))

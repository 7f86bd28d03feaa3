"""Decoders of what clients send to the embedded broker, and of what NATS servers send."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

from nats.errors import Error as NatsError

from benchmarks.fuzzing.decoder import NUMBERS, Decoder
from service.config.broker_address import LOOPBACK
from service.mqtt.embedded_broker import EmbeddedBroker
from service.mqtt.embedded_limits import EmbeddedLimits
from service.sources.nats_direct import DirectParser, RawMessage

_CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04fuzz"
_OTHER_CONNECT = _CONNECT[:-4] + b"good"
_SUBSCRIBE = b"\x82\x0e\x00\x01\x00\x09stinger/#\x01"
_PUBLISH = b"\x32\x0c\x00\x05a/b/c\x00\x07hey"
_RETAINED = b"\x31\x09\x00\x05a/b/chi"
_EXACTLY_ONCE = b"\x34\x0c\x00\x05a/b/c\x00\x08hey\x62\x02\x00\x08"
_UNSUBSCRIBE = b"\xa2\x0d\x00\x02\x00\x09stinger/#"
_PING, _DISCONNECT = b"\xc0\x00", b"\xe0\x00"
_TIMEOUT_S = 30.0
_WATCHED_EVERY = 50


@contextmanager
def broker_decoders() -> Iterator[list[Decoder]]:
    """Yield them, with the broker running."""
    with _RunningBroker() as broker, asyncio.Runner() as runner:
        packets = (_SUBSCRIBE, _PUBLISH, _RETAINED, _EXACTLY_ONCE, _UNSUBSCRIBE, _PING, _DISCONNECT)
        parser = _Parser(runner.get_loop())
        yield [
            Decoder("packets to the embedded broker", (b"".join(packets), _CONNECT), broker.send, 0.5, packets),
            Decoder(
                "what a NATS server sends",
                _FROM_NATS,
                parser.parse,
                3,
                (b"\r\n", b" ", b"MSG ", *NUMBERS),
                refusals=(NatsError,),
            ),
        ]


class _RunningBroker:
    """An embedded broker in a thread of its own. What fails unnoticed in its tasks is a fault."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._failures: list[str] = []
        self._sent = 0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(_TIMEOUT_S)
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_TIMEOUT_S)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(lambda _loop, context: self._failures.append(str(context)))
        limits = EmbeddedLimits(connect_s=1.0, stalled_s=1.0, packet_bytes=4096)
        async with EmbeddedBroker(0, limits=limits) as self._broker:
            self._ready.set()
            await self._stop.wait()

    def send(self, data: bytes) -> None:
        """Send ``data`` in a connection of its own, mostly behind a valid CONNECT, and wait for its end."""
        self._sent += 1
        with suppress(OSError), self._connect() as client:  # the broker has closed it
            client.sendall(data if data[:1] == _CONNECT[:1] else _CONNECT + data)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65_536):
                pass
        if self._sent % _WATCHED_EVERY == 0:
            self._check()
        assert not self._failures, self._failures.pop()
        assert not self._broker.problem, self._broker.problem

    def _check(self) -> None:
        """Connect, subscribe and ping as a well-behaved client does."""
        with self._connect() as client:
            client.sendall(_OTHER_CONNECT + _SUBSCRIBE + _PING)
            answer = b""
            while b"\xd0\x00" not in answer:
                part = client.recv(65_536)
                assert part, "a well-behaved client was disconnected"
                answer += part

    def _connect(self) -> socket.socket:
        return socket.create_connection((LOOPBACK, self._broker.port), _TIMEOUT_S)


_HEARTBEAT = b"NATS/1.0 100 Idle Heartbeat\r\n\r\n"
_FROM_NATS = (
    b"PING\r\nMSG a.0.left.samples 1 5\r\nhello\r\n+OK\r\n",
    b"MSG _INBOX.x 1 $JS.ACK.S.C.1.9.1.1700000000000000000.0 2\r\nhi\r\n",
    b"HMSG _INBOX.x 1 %d %d\r\n%s\r\n" % (len(_HEARTBEAT), len(_HEARTBEAT), _HEARTBEAT),
    b'-ERR \'Unknown\'\r\nINFO {"server_id":"x","version":"2.9.21"}\r\nPONG\r\n',
)


async def _ignore(*_arguments: object) -> None:
    """Stand for any method of the client."""


class _NatsClient:
    """What nats-py's parser needs of its client."""

    def __getattr__(self, name: str) -> Any:
        return _ignore


class _Parser:
    """Parses as a connection does: in two pieces, each connection with a parser of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def parse(self, data: bytes) -> None:
        client: Any = _NatsClient()
        parser = DirectParser(client)
        parser.receivers[b"1"] = self._receive
        cut = len(data) // 2
        self._loop.run_until_complete(parser.parse(data[:cut]))
        self._loop.run_until_complete(parser.parse(data[cut:]))

    def _receive(self, message: RawMessage) -> None:
        message.status  # noqa: B018 - a property that decodes

"""A broker for publishers with every limit that MQTT 5 has, announced in CONNACK or not; it ends a connection that exceeds one."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

V5: Final = 5
CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 10, 12, 14


@dataclass(frozen=True)
class Limits:
    """What CONNACK announces, unless ``announced`` is false; None, or a default of MQTT, is not announced."""

    announced: bool = True
    receive_maximum: int | None = None
    maximum_packet_bytes: int | None = None
    maximum_qos: int | None = None
    retain_available: bool = True
    keep_alive_s: int | None = None
    assigned_identifier: str | None = None
    topic_alias_maximum: int | None = None
    wildcards_available: bool = True

    def properties(self) -> bytes:
        found = b""
        if not self.announced:
            return found
        if self.receive_maximum is not None:
            found += b"\x21" + self.receive_maximum.to_bytes(2, "big")
        if self.maximum_packet_bytes is not None:
            found += b"\x27" + self.maximum_packet_bytes.to_bytes(4, "big")
        if self.maximum_qos is not None:
            found += b"\x24" + bytes([self.maximum_qos])
        if not self.retain_available:
            found += b"\x25\x00"
        if self.keep_alive_s is not None:
            found += b"\x13" + self.keep_alive_s.to_bytes(2, "big")
        if self.assigned_identifier is not None:
            found += b"\x12" + _text(self.assigned_identifier)
        if self.topic_alias_maximum is not None:
            found += b"\x22" + self.topic_alias_maximum.to_bytes(2, "big")
        if not self.wildcards_available:
            found += b"\x28\x00"
        return found


EVERY_LIMIT = Limits(
    receive_maximum=3,
    maximum_packet_bytes=1000,
    maximum_qos=1,
    retain_available=False,
    keep_alive_s=2,
    assigned_identifier="chosen-by-the-broker",
    topic_alias_maximum=4,
    wildcards_available=False,
)
"""A broker that limits all that can be limited; the daemon can still publish its events."""


@dataclass(frozen=True)
class Published:
    """A message that the broker has taken."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass
class StrictBroker:
    """The broker; it runs while :func:`strict_broker` lasts."""

    limits: Limits = field(default_factory=Limits)
    puback: Callable[[str], int | None] = lambda _topic: 0
    """Returns the reason code of the acknowledgement of a message to a topic; ``None`` for no acknowledgement."""
    suback: Callable[[str], int] = lambda _name: 1
    """Returns the code for a filter of a subscription."""
    acknowledge_s: float = 0.0
    acknowledge_times: int = 1
    ends: Callable[[str], int | None] = lambda _topic: None
    """Returns the reason code with which it ends the connection when a message to a topic, or a subscription,
    arrives."""
    messages_per_s: float = float("inf")
    speaks: int = V5
    """The only version of MQTT that it accepts: 5, or 4 for 3.1.1, which has no codes for ending a connection."""
    silent_about: frozenset[int] = frozenset()
    """The kinds of packets that it reads and does not answer."""
    deaf: bool = False
    """Whether it neither reads nor answers any more, with its sockets open."""
    port: int = 0
    published: list[Published] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    identifiers: list[str] = field(default_factory=list)
    subscribed: list[str] = field(default_factory=list)
    in_flight_most: int = 0
    server: asyncio.Server | None = None
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    def payloads(self, topic: str) -> list[bytes]:
        return [one.payload for one in self.published if one.topic == topic]

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut every connection and close the port."""
        assert self.server is not None
        self.server.close()
        for task in list(self.connections):
            task.cancel()
        await asyncio.gather(*self.connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        try:
            await _Client(self, reader, writer).serve()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # asyncio would log the end of this task as an error
        finally:
            self.connections.discard(task)
            writer.transport.abort()


@asynccontextmanager
async def strict_broker(limits: Limits | None = None) -> AsyncIterator[StrictBroker]:
    """Run a broker with ``limits``."""
    broker = StrictBroker(limits or Limits())
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


class _Client:
    def __init__(self, broker: StrictBroker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._broker, self._reader, self._writer = broker, reader, writer
        self._limits = broker.limits
        self._in_flight: set[bytes] = set()
        self._keep_alive_s = 0.0
        self._message_times_s: deque[float] = deque()
        self._acknowledging: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        try:
            while True:
                wait_s = self._keep_alive_s * 1.5 or None
                try:
                    async with asyncio.timeout(wait_s):
                        kind, body, size = await self._packet()
                except TimeoutError:
                    self._end(0x8D, f"nothing for {wait_s} s")
                    return
                while self._broker.deaf:
                    await asyncio.sleep(0.05)
                if kind >> 4 == DISCONNECT or not self._answer(kind, body, size):
                    return
        finally:
            for task in self._acknowledging:
                task.cancel()

    async def _packet(self) -> tuple[int, bytes, int]:
        kind = (await self._reader.readexactly(1))[0]
        length = shift = count = 0
        while True:
            byte = (await self._reader.readexactly(1))[0]
            length |= (byte & 127) << shift
            shift, count = shift + 7, count + 1
            if byte < 128:
                return kind, await self._reader.readexactly(length), 1 + count + length

    def _answer(self, kind: int, body: bytes, size: int) -> bool:
        """Handle a packet; return whether the connection continues."""
        limits = self._limits
        if limits.maximum_packet_bytes is not None and size > limits.maximum_packet_bytes and kind >> 4 != CONNECT:
            return self._end(0x95, f"{size} bytes")
        if kind >> 4 in self._broker.silent_about:
            return True
        match kind >> 4:
            case 1:
                return self._connect(body)
            case 3:
                return self._publish(kind, body)
            case 8:
                return self._subscribe(body)
            case 10:
                self._send(0xB0, body[:2] + (b"\x00\x11" if self._version_5 else b""))
            case 12:
                self._send(0xD0, b"")
        return True

    @property
    def _version_5(self) -> bool:
        return self._broker.speaks == V5

    def _connect(self, body: bytes) -> bool:
        flags = body[7]
        if body[6] != self._broker.speaks:
            self._send(0x20, b"\x00\x84\x00" if body[6] == V5 else b"\x00\x01")
            return False
        self._keep_alive_s = float(int.from_bytes(body[8:10], "big"))
        at = 10 + 1 + body[10] if self._version_5 else 10
        size = int.from_bytes(body[at : at + 2], "big")
        self._broker.identifiers.append(body[at + 2 : at + 2 + size].decode())
        code = 0
        if flags & 4 and flags & 0x20 and not self._limits.retain_available:
            code = 0x9A
        elif flags & 4 and self._limits.maximum_qos is not None and (flags >> 3 & 3) > self._limits.maximum_qos:
            code = 0x9B
        if self._limits.keep_alive_s is not None:
            self._keep_alive_s = float(self._limits.keep_alive_s)
        properties = b"" if code else self._limits.properties()
        self._send(0x20, bytes([0, code, len(properties)]) + properties if self._version_5 else b"\x00\x00")
        return not code

    def _publish(self, kind: int, body: bytes) -> bool:
        qos, retain = kind >> 1 & 3, bool(kind & 1)
        size = int.from_bytes(body[:2], "big")
        topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
        violation = self._violation(topic, qos, retain=retain)
        if violation is not None:
            return self._end(*violation)
        number, payload = (rest[:2], rest[2:]) if qos else (b"", rest)
        if self._version_5:
            assert payload[0] < 128, "no message of the daemon has so many properties"
            payload = payload[1 + payload[0] :]
        if not qos:
            self._broker.published.append(Published(topic, payload, qos, retain))
            return True
        self._in_flight.add(number)
        self._broker.in_flight_most = max(self._broker.in_flight_most, len(self._in_flight))
        most = self._limits.receive_maximum
        if most is not None and len(self._in_flight) > most:
            return self._end(0x93, f"{len(self._in_flight)} in flight")
        code = self._broker.puback(topic)
        if code is not None:
            if code < 0x80:
                self._broker.published.append(Published(topic, payload, qos, retain))
            task = asyncio.create_task(self._acknowledge(number, code))
            self._acknowledging.add(task)
            task.add_done_callback(self._acknowledging.discard)
        return True

    def _violation(self, topic: str, qos: int, *, retain: bool) -> tuple[int, str] | None:
        """Return with which code the connection ends because of a message, and why; ``None`` if it does not."""
        limits, now_s = self._limits, time.monotonic()
        self._message_times_s.append(now_s)
        while self._message_times_s[0] < now_s - 1:
            self._message_times_s.popleft()
        if len(self._message_times_s) > self._broker.messages_per_s:
            return 0x96, f"{len(self._message_times_s)} messages a second"
        ended = self._broker.ends(topic)
        if ended is not None:
            return ended, topic
        if limits.maximum_qos is not None and qos > limits.maximum_qos:
            return 0x9B, f"QoS {qos}"
        if retain and not limits.retain_available:
            return 0x9A, f"{topic} retained"
        return None

    async def _acknowledge(self, number: bytes, code: int) -> None:
        await asyncio.sleep(self._broker.acknowledge_s)
        self._in_flight.discard(number)
        for _ in range(self._broker.acknowledge_times):
            self._send(0x40, number + (bytes([code]) if code else b""))

    def _subscribe(self, body: bytes) -> bool:
        at, codes = 3 + body[2] if self._version_5 else 2, b""
        while at < len(body):
            size = int.from_bytes(body[at : at + 2], "big")
            name = body[at + 2 : at + 2 + size].decode()
            at += 3 + size
            ended = self._broker.ends(name)
            if ended is not None:
                return self._end(ended, name)
            if not self._limits.wildcards_available and ("+" in name or "#" in name):
                return self._end(0xA2, name)
            self._broker.subscribed.append(name)
            codes += bytes([self._broker.suback(name)])
        self._send(0x90, body[:2] + (b"\x00" if self._version_5 else b"") + codes)
        return True

    def _end(self, code: int, violation: str) -> bool:
        self._broker.violations.append(f"0x{code:02x}: {violation} at {time.strftime('%T')}")
        if self._version_5 and code:
            self._send(0xE0, bytes([code, 0]))
        return False

    def _send(self, kind: int, body: bytes) -> None:
        with suppress(RuntimeError):
            self._writer.write(bytes([kind, len(body)]) + body)


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data

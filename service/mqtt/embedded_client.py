"""One client of the embedded broker: its CONNECT is checked, and its bytes are limited, before amqtt sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from amqtt.adapters import BufferReader, ReaderAdapter, StreamWriterAdapter
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.connect import ConnectPacket

from service.base.hold_up import timeout_after_reading
from service.config.broker_account import Account
from service.mqtt.embedded_limits import EmbeddedLimits

_CONNECT: Final = 0x10
_PROTOCOL_3_1_1: Final = b"\x00\x04MQTT\x04"
_REFUSED_VERSION: Final = b"\x20\x02\x00\x01"
_REFUSED_LOGIN: Final = b"\x20\x02\x00\x05"
_LONGEST_LENGTH_BYTES: Final = 4
_MORE: Final = 0x80
_KEEP_ALIVE_FACTOR: Final = 1.5
_BACKLOG_POLL_S: Final = 0.01


class ClientRefusedError(ConnectionError):
    """A client broke a limit of the broker or may not connect; the text is the reason."""


class EmbeddedClient:
    """The connection of one client.

    :meth:`log_in` must succeed before ``reader`` and ``writer`` are passed to amqtt.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limits: EmbeddedLimits,
        *,
        backlog: Callable[[], int],
        all_unread_bytes: Callable[[], int],
        on_broken_limit: Callable[[str], None],
    ) -> None:
        self._limits = limits
        self._stream_writer = writer
        self._on_broken_limit = on_broken_limit
        self.logged_in = False
        self.reader = _PacketReader(reader, limits, backlog, self._end)
        self.writer = _BoundedWriter(writer, limits, all_unread_bytes, self._end)

    @property
    def unread_bytes(self) -> int:
        """Number of bytes that wait to be sent to the client."""
        return self._stream_writer.transport.get_write_buffer_size()

    async def log_in(self, account: Account | None) -> None:
        """Read the CONNECT and check it, before anything of it has an effect; ``None`` accepts every client.

        Raises :class:`ClientRefusedError` for a client that is refused, after answering it, and another ``OSError`` or
        ``EOFError`` if the connection ends.
        """
        try:
            async with timeout_after_reading(self._limits.connect_s):
                packet = await self.reader.read_first()
        except TimeoutError:
            raise ClientRefusedError(f"no CONNECT within {self._limits.connect_s:g} s") from None
        body = packet[1 + _length_bytes(packet) :]
        if not body.startswith(_PROTOCOL_3_1_1):
            # Anything else is another version of MQTT, for which this answer is prescribed, or not MQTT.
            self._stream_writer.write(_REFUSED_VERSION)
            raise ClientRefusedError("another protocol than MQTT 3.1.1")
        try:
            connect = await ConnectPacket.from_stream(BufferReader(packet))
            user, password, keep_alive_s = connect.username, connect.password, connect.keep_alive
        except (AMQTTError, MQTTError, NoDataError, ValueError, TypeError, IndexError) as error:
            raise ClientRefusedError(f"the CONNECT is malformed: {error}") from error
        if account is not None and not account.matches(user, password):
            self._stream_writer.write(_REFUSED_LOGIN)
            raise ClientRefusedError("wrong user or password")
        self.reader.limit_silence(keep_alive_s * _KEEP_ALIVE_FACTOR if keep_alive_s else None)
        self.logged_in = True

    def abort(self) -> None:
        """Close the connection at once; what waits to be sent is dropped."""
        self._stream_writer.transport.abort()

    def _end(self, reason: str) -> None:
        """Close the connection of a client that has broken a limit."""
        if not self._stream_writer.transport.is_closing():
            self._on_broken_limit(reason)
        self.abort()

    async def close(self) -> None:
        """Send what waits, but only for a limited time, and close the connection."""
        self._stream_writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._limits.stop_s):
                await self._stream_writer.wait_closed()
        self.abort()


class _PacketReader(ReaderAdapter):  # type: ignore[misc]  # amqtt has no types
    """Reads whole packets of limited length and within limited time, and passes their bytes on."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        limits: EmbeddedLimits,
        backlog: Callable[[], int],
        end: Callable[[str], None],
    ) -> None:
        self._reader = reader
        self._limits = limits
        self._backlog = backlog
        self._end = end
        self._rest = memoryview(b"")
        self._silence_s: float | None = None

    async def read(self, n: int = -1) -> bytes:
        """Return the next ``n`` bytes, or the rest of the packet. A read beyond the packet's end ends the connection."""
        if not self._rest:
            self._rest = memoryview(await self._next())
        if n > len(self._rest):
            self._end("a packet that ends too early")
            raise asyncio.IncompleteReadError(bytes(self._rest), n)
        part, self._rest = (self._rest, memoryview(b"")) if n < 0 else (self._rest[:n], self._rest[n:])
        return bytes(part)

    def feed_eof(self) -> None:
        self._reader.feed_eof()

    async def read_first(self) -> bytes:
        """Return the first packet, and keep it for :meth:`read`. Raises :class:`ClientRefusedError` if it is no CONNECT."""
        first = await self._reader.readexactly(1)
        if first[0] != _CONNECT:
            raise ClientRefusedError("the first packet is no CONNECT")
        packet = first + await self._after_type()
        self._rest = memoryview(packet)
        return packet

    def limit_silence(self, longest_s: float | None) -> None:
        """Limit the time between two packets.

        Sets the keep alive in the first packet to 0, so that amqtt does not limit it. amqtt's own limit would cancel a
        read in the middle of a packet, and so lose a part of it.
        """
        self._silence_s = longest_s
        packet = bytearray(self._rest)
        start = 1 + _length_bytes(packet) + len(_PROTOCOL_3_1_1) + 1
        packet[start : start + 2] = b"\0\0"
        self._rest = memoryview(bytes(packet))

    async def _next(self) -> bytes:
        """Return the next packet. On a broken limit, end the connection."""
        while self._backlog() > self._limits.backlog:  # noqa: ASYNC110 - amqtt's queues have no event for that
            await asyncio.sleep(_BACKLOG_POLL_S)
        reason = f"nothing from it for {self._silence_s} s, longer than its keep alive allows"
        try:
            async with timeout_after_reading(self._silence_s):
                first = await self._reader.readexactly(1)
            reason = f"a packet that was not complete after {self._limits.stalled_s:g} s"
            async with timeout_after_reading(self._limits.stalled_s):
                return first + await self._after_type()
        except (TimeoutError, ClientRefusedError) as error:
            reason = str(error) or reason
            self._end(reason)
            raise ConnectionResetError(reason) from error

    async def _after_type(self) -> bytes:
        """Return the rest of a packet whose first byte has been read. Raises :class:`ClientRefusedError`."""
        length, header = 0, b""
        for position in range(_LONGEST_LENGTH_BYTES):
            header += await self._reader.readexactly(1)
            length |= (header[-1] & ~_MORE) << 7 * position
            if not header[-1] & _MORE:
                break
        else:
            raise ClientRefusedError("a packet with an invalid length")
        if length > self._limits.packet_bytes:
            raise ClientRefusedError(
                f"a packet of {length:,} bytes, at most {self._limits.packet_bytes:,} are accepted"
            )
        return header + await self._reader.readexactly(length)


class _BoundedWriter(StreamWriterAdapter):  # type: ignore[misc]  # amqtt has no types
    """Writes without waiting: a client that does not read is disconnected, so that the others are served."""

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        limits: EmbeddedLimits,
        all_unread_bytes: Callable[[], int],
        end: Callable[[str], None],
    ) -> None:
        super().__init__(writer)
        self.is_closed = False
        self._transport = writer.transport
        self._limits = limits
        self._all_unread_bytes = all_unread_bytes
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._written = 0
        self._checking = False

    def write(self, data: bytes) -> None:
        super().write(data)
        self._written += len(data)
        unread = self._transport.get_write_buffer_size()
        if not unread:
            return
        if unread > self._limits.unread_bytes or self._all_unread_bytes() > self._limits.all_unread_bytes:
            self._end(f"{unread:,} bytes wait to be read by it, and by all clients {self._all_unread_bytes():,}")
        elif not self._checking:
            self._checking = True
            self._loop.call_later(self._limits.stalled_s, self._abort_if_stalled, self._written - unread)

    async def drain(self) -> None:
        """Return at once, but raise ``ConnectionResetError`` on a closed connection."""
        if self._transport.is_closing():
            await asyncio.sleep(0)
            raise ConnectionResetError("the connection is closed")

    async def close(self) -> None:
        """Close the connection after what waits has been sent, or after a limited time. Does not wait for either."""
        if not self.is_closed:
            self.is_closed = True
            self._transport.close()
            self._loop.call_later(self._limits.stop_s, self._transport.abort)

    def _abort_if_stalled(self, sent_before: int) -> None:
        """Abort if nothing has been sent since ``sent_before`` bytes were, and something waits; look again later."""
        unread = self._transport.get_write_buffer_size()
        sent = self._written - unread
        self._checking = bool(unread) and sent > sent_before
        if self._checking:
            self._loop.call_later(self._limits.stalled_s, self._abort_if_stalled, sent)
        elif unread:
            self._end(f"it has read nothing for {self._limits.stalled_s:g} s, and {unread:,} bytes wait")


def _length_bytes(packet: bytes | bytearray) -> int:
    """Return how many bytes of ``packet`` hold its length."""
    return next(n for n in range(1, _LONGEST_LENGTH_BYTES + 1) if not packet[n] & _MORE)

"""Sends requests to a blaster over an open link, and receives each response within a stated time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from service.base.link_errors import LinkLostError
from service.round_trip.deferred_interrupt import deferred_interrupt
from service.round_trip.links import CHUNK_BYTES, Link
from stinger.errors import DeviceError, ProtocolError, StingerError
from stinger.wire import commands
from stinger.wire.host import CountSamples, DumpLog, Exchange, ReadModelStatus, UploadModel
from stinger.wire.text_stream import STARTED, is_row

T = TypeVar("T")
Notify = Callable[[str], object]
"""Shows the user a line about the progress."""

_SYNC_ATTEMPTS: Final = 4
"""Requests sent to synchronise: up to two may be answered by the error of an abandoned upload, and one not at all."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Time limits of a client, in seconds."""

    response_s: float = 3.0
    """For the first response: a blaster that sends nothing for this long has not understood the request."""
    drain_s: float = 30.0
    """For the blaster to finish what it was sending before: the rest of a log that was not read, or a stream."""
    upload_abandoned_s: float = commands.UPLOAD_TIMEOUT_S + 1.0
    """After this long without a byte, the blaster has abandoned an interrupted upload."""
    log_s: float = DumpLog.timeout_s
    """For the next bytes of a log."""
    upload_s: float = UploadModel.timeout_s
    """For the response to an upload."""
    busy_retry_s: float = 1.0
    """Wait before repeating a request to a blaster that was busy: the time that a shot takes."""


DEFAULT_TIMEOUTS: Final = Timeouts()


class _TooOldError(StingerError):
    """The blaster streams text and knows no commands."""


class BlasterClient:
    """A client for the blaster at the other end of ``link``.

    ``notify`` shows the user a line while a request takes long. Every method raises the errors of
    :mod:`stinger.errors`.
    """

    def __init__(self, link: Link, *, notify: Notify, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        self.link = link
        self.notify = notify
        self.timeouts = timeouts

    def synchronise(self) -> int:
        """Get a first response, whatever the blaster was doing before; return the number of samples in its log.

        Ends a stream, drains the rest of a log that was not read, and waits until an interrupted upload is abandoned.
        Raises :class:`ProtocolError` if no blaster answers.
        """
        try:
            return self._synchronise()
        except LinkLostError as lost:
            raise LinkLostError(f"{lost}{self.link.refusal_hint}") from lost

    def request(self, exchange: Exchange[T]) -> T:
        """Send a request and return its response."""
        self.link.write(exchange.start())
        return self.receive_rest(exchange)

    def start_log_dump(self) -> DumpLog:
        """Request the log and wait until its size is known; :meth:`receive_rest` receives the log itself."""
        dump = DumpLog()
        dump.timeout_s = self.timeouts.log_s
        self.link.write(dump.start())
        self._receive(dump, until=lambda: dump.expected_bytes is not None)
        return dump

    def receive_rest(self, exchange: Exchange[T], *, progress: Callable[[int], object] = lambda _: None) -> T:
        """Receive the rest of a response and return it; ``progress`` is called with each increase of its ``advance``."""
        self._receive(exchange, progress=progress)
        return exchange.result

    def status(self) -> commands.ModelStatus:
        """Return which models the blaster has and uses."""
        return self.request(ReadModelStatus())

    def _synchronise(self) -> int:
        self.link.write(f"{commands.STREAM} 0\n".encode("ascii"))  # a response among frames could not be recognised
        has_waited = False
        for _ in range(_SYNC_ATTEMPTS):
            try:
                return self._count_samples()
            except DeviceError:
                continue  # the outcome of an interrupted upload
            except ProtocolError:
                if has_waited:
                    break
            limit_s = self.timeouts.upload_abandoned_s
            self.notify(f"{self.link.name}: no response yet, waiting up to {limit_s:.0f} s")
            self._await_abandoned_upload()
            has_waited = True
        raise ProtocolError(
            f"{self.link.name}: no blaster answers: is it the right port, and is the blaster switched on? If it is, replug it: "
            "a stray byte from another program silences its port"
        )

    def _count_samples(self) -> int:
        count = CountSamples()
        count.timeout_s = self.timeouts.response_s
        self.link.write(count.start())
        self._receive(count, until=lambda: _is_text_stream(count.other_lines), drain=True)
        if not count.done:
            raise _TooOldError(
                f"{self.link.name}: this blaster's firmware is too old: it keeps no log and accepts no models"
            )
        return count.result

    def _await_abandoned_upload(self) -> None:
        """Send nothing until the blaster has abandoned an interrupted upload: until then it takes every byte for model data."""
        received = b""
        until_s = time.monotonic() + self.timeouts.upload_abandoned_s
        while time.monotonic() < until_s and f"{commands.MODEL_ERROR}timeout".encode("ascii") not in received:
            received = received[-100:] + self.link.read()

    def _receive(
        self,
        exchange: Exchange[T],
        *,
        until: Callable[[], bool] = lambda: False,
        progress: Callable[[int], object] = lambda _: None,
        drain: bool = False,
    ) -> None:
        """Feed ``exchange`` until it is done, ``until`` returns True, or no part of its response arrives for its ``timeout_s``.

        With ``drain``, any bytes restart that time, for up to ``drain_s``: the blaster may be finishing something else.
        """
        now_s = newest_s = time.monotonic()
        drained_s = now_s + self.timeouts.drain_s if drain else now_s
        advance = exchange.advance
        while not exchange.done and not until():
            data = self.link.read()
            reply = exchange.receive(data) if data else b""
            now_s = time.monotonic()
            if reply:
                self._send(reply, spoil=isinstance(exchange, UploadModel))
                newest_s = time.monotonic()
            elif exchange.advance > advance or (data and now_s < drained_s):
                progress(exchange.advance - advance)
                advance = exchange.advance
                newest_s = now_s
            elif now_s - newest_s >= exchange.timeout_s:
                exchange.silence()

    def _send(self, data: bytes, *, spoil: bool) -> None:
        """Send ``data``. If Ctrl-C is pressed meanwhile and ``spoil`` is set, send the rest inverted.

        A blaster that waits for the rest of a file takes any bytes as its content, for 10 s, and one byte too many
        confuses it. A complete file with a wrong CRC is discarded at once.
        """
        with deferred_interrupt() as interrupted:
            for start in range(0, len(data), CHUNK_BYTES):
                chunk = data[start : start + CHUNK_BYTES]
                self.link.write(bytes(0xFF - byte for byte in chunk) if spoil and interrupted() else chunk)


def _is_text_stream(lines: Iterable[str]) -> bool:
    """Return whether these lines belong to the stream that older firmware sends in response to any command."""
    return any(line == STARTED or is_row(line) for line in lines)

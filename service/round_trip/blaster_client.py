"""Questions to a blaster over an open link, one after another, each answered or ended within a stated time."""

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
"""What tells the user a line about what is going on."""

_ATTEMPTS: Final = 4
"""So often a blaster is greeted: twice it may have something to say of an upload, and once it may say nothing."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long is waited for what, in seconds."""

    response_s: float = 3.0
    """A blaster that says nothing for so long has not understood."""
    drain_s: float = 30.0
    """So long it may go on with what it was saying: the rest of a log that nobody took, a stream."""
    upload_abandoned_s: float = commands.UPLOAD_TIMEOUT_S + 1.0
    """After so long without a byte it has given up an upload that was broken off."""
    busy_retry_s: float = 1.0
    """So long after it was busy it is asked again: what a shot takes."""


DEFAULT_TIMEOUTS: Final = Timeouts()


class _TooOldError(StingerError):
    """The blaster streams text and knows no commands."""


class BlasterClient:
    """``say`` is told what a user should know meanwhile. Every method raises the errors of :mod:`stinger.errors`."""

    def __init__(self, link: Link, *, notify: Notify, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        self.link = link
        self.notify = notify
        self.timeouts = timeouts

    def synchronise(self) -> int:
        """Find out that a blaster listens, whatever it was doing before; how many samples its log holds.

        A stream is ended, the rest of a log that nobody took is heard out, and an upload that was broken off is waited
        for. Raises :class:`ProtocolError` where no blaster answers.
        """
        try:
            return self._synchronise()
        except LinkLostError as lost:
            raise LinkLostError(f"{lost}{self.link.refusal_hint}") from lost

    def request(self, exchange: Exchange[T]) -> T:
        """Ask, and wait for the answer."""
        self.link.write(exchange.start())
        return self.receive_rest(exchange)

    def start_log_dump(self) -> DumpLog:
        """Ask for the log, until its size is known; :meth:`receive_rest` brings the rest."""
        dump = DumpLog()
        self.link.write(dump.start())
        self._listen(dump, until=lambda: dump.expected_bytes is not None)
        return dump

    def receive_rest(self, exchange: Exchange[T], *, progress: Callable[[int], object] = lambda _: None) -> T:
        """Wait for the rest of an answer; ``progress`` is told by how much its ``advance`` grows."""
        self._listen(exchange, progress=progress)
        return exchange.result

    def status(self) -> commands.ModelStatus:
        """Which models the blaster has and uses."""
        return self.request(ReadModelStatus())

    def _synchronise(self) -> int:
        self.link.write(f"{commands.STREAM} 0\n".encode("ascii"))  # between frames no answer would be understood
        waited = False
        for _ in range(_ATTEMPTS):
            try:
                return self._count()
            except DeviceError:
                continue  # what became of an upload that was broken off
            except ProtocolError:
                if waited:
                    break
            self.notify(
                f"{self.link.name}: no answer yet, waiting up to {self.timeouts.upload_abandoned_s:.0f} s for one"
            )
            self._await_abandoned_upload()
            waited = True
        raise ProtocolError(
            f"{self.link.name}: no blaster answers: is it the right port, and is the blaster switched on?"
        )

    def _count(self) -> int:
        count = CountSamples()
        count.timeout_s = self.timeouts.response_s
        self.link.write(count.start())
        self._listen(count, until=lambda: _is_text_stream(count.other_lines), drain=True)
        if not count.done:
            raise _TooOldError(
                f"{self.link.name}: this blaster's firmware is too old: it keeps no log and takes no models"
            )
        return count.result

    def _await_abandoned_upload(self) -> None:
        """Notify nothing until the blaster has given up the upload that it takes every byte for."""
        heard = b""
        until_s = time.monotonic() + self.timeouts.upload_abandoned_s
        while time.monotonic() < until_s and f"{commands.MODEL_ERROR}timeout".encode("ascii") not in heard:
            heard = heard[-100:] + self.link.read()

    def _listen(
        self,
        exchange: Exchange[T],
        *,
        until: Callable[[], bool] = lambda: False,
        progress: Callable[[int], object] = lambda _: None,
        drain: bool = False,
    ) -> None:
        """Feed ``exchange`` until it is done, ``until`` holds, or no part of the answer comes for its ``timeout_s``.

        With ``drain``, whatever comes counts as a part of the answer for as long as a blaster may be finishing.
        """
        now_s = heard_s = time.monotonic()
        drained_s = now_s + self.timeouts.drain_s if drain else now_s
        advance = exchange.advance
        while not exchange.done and not until():
            data = self.link.read()
            reply = exchange.receive(data) if data else b""
            now_s = time.monotonic()
            if reply:
                self._send(reply, spoil=isinstance(exchange, UploadModel))
                heard_s = time.monotonic()
            elif exchange.advance > advance or (data and now_s < drained_s):
                progress(exchange.advance - advance)
                advance = exchange.advance
                heard_s = now_s
            elif now_s - heard_s >= exchange.timeout_s:
                exchange.silence()

    def _send(self, data: bytes, *, spoil: bool) -> None:
        """Send ``data``. If Ctrl-C is pressed meanwhile and it is to be spoiled, its rest is sent wrong.

        A blaster that waits for the rest of a file takes whatever comes for it, for 10 s, and chokes on a byte too much;
        a file that comes to its end with the wrong CRC is thrown away at once.
        """
        with deferred_interrupt() as interrupted:
            for start in range(0, len(data), CHUNK_BYTES):
                chunk = data[start : start + CHUNK_BYTES]
                self.link.write(bytes(0xFF - byte for byte in chunk) if spoil and interrupted() else chunk)


def _is_text_stream(lines: Iterable[str]) -> bool:
    """Whether what a blaster says is the stream with which older firmware answers whatever it is asked."""
    return any(line == STARTED or is_row(line) for line in lines)

"""Faults of commands and their answers: uploads that suffer on their way, refusals, and answers that do not come as sent."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field

from hil.emulated.faults.fault import Fault
from hil.emulated.faults.frames import TEXTS
from stinger.wire.commands import DUMP_HEADER

_LOG = DUMP_HEADER.encode("ascii")


@dataclass(slots=True, kw_only=True)
class ExchangeFault(Fault):
    """Happens to one exchange in ``1 / rate``, by chance, and at most ``times`` times (0: as often as it may)."""

    rate: float = 1.0
    times: float = 0.0
    _struck: int = field(init=False, default=0, repr=False)

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("rate", 0, 1)
        self.require("times", 0, math.inf)

    def strikes(self, t_s: float) -> bool:
        """Whether it happens to an exchange at ``t_s``; each call is one exchange."""
        if not self.active(t_s) or (self.times and self._struck >= self.times) or self.chance.random() >= self.rate:
            return False
        self._struck += 1
        return True


@dataclass(slots=True, kw_only=True)
class UploadFault(ExchangeFault):
    """Happens to an upload, which comes in pieces."""

    _awaited: int = field(init=False, default=-1, repr=False)
    _strikes: bool = field(init=False, default=False, repr=False)

    def take(self, piece: bytes, awaited: int, t_s: float) -> bytes:
        """What arrives of a piece of an upload, of which ``awaited`` bytes were missing before it."""
        begins = awaited != self._awaited
        if begins:
            self._strikes = self.strikes(t_s)
        arrives = self.strike(piece, begins=begins) if self._strikes else piece
        self._awaited = awaited - len(arrives)
        return arrives

    @abstractmethod
    def strike(self, piece: bytes, *, begins: bool) -> bytes:
        """What arrives of a piece of an upload that it happens to; ``begins`` for the first."""


@dataclass(slots=True, kw_only=True)
class BadCrc(UploadFault):
    """An upload arrives with a bit flipped, so that its CRC is wrong."""

    def strike(self, piece: bytes, *, begins: bool) -> bytes:
        """The first piece with a bit flipped."""
        return bytes([piece[0] ^ 1]) + piece[1:] if begins else piece


@dataclass(slots=True, kw_only=True)
class LostEnd(UploadFault):
    """The end of an upload does not arrive, so that the device waits for it in vain."""

    def strike(self, piece: bytes, *, begins: bool) -> bytes:
        """Half of the first piece, and nothing more."""
        return piece[: len(piece) // 2] if begins else b""


@dataclass(slots=True, kw_only=True)
class Busy(ExchangeFault):
    """A log or an upload is refused, as if the device were firing."""


@dataclass(slots=True, kw_only=True)
class CutLog(ExchangeFault):
    """Of a log, 'lost' bytes from its middle do not arrive."""

    lost: float = 1000

    def __post_init__(self) -> None:
        ExchangeFault.__post_init__(self)
        self.require("lost", 1, 2**24)

    def take(self, answer: bytes, t_s: float) -> bytes:
        """What is sent instead of ``answer``."""
        if not answer.startswith(_LOG) or not self.strikes(t_s):
            return answer
        middle = len(answer) // 2
        return answer[:middle] + answer[middle + int(self.lost) :]


@dataclass(slots=True, kw_only=True)
class Chatter(ExchangeFault):
    """A line of text stands before each line of an answer, and before a log."""

    def take(self, answer: bytes, t_s: float) -> bytes:
        """What is sent instead of ``answer``."""
        lines = [answer] if answer.startswith(_LOG) else answer.splitlines(keepends=True)
        return b"".join(part for line in lines for part in ((self._text(), line) if self.strikes(t_s) else (line,)))

    def _text(self) -> bytes:
        return f"{self.chance.choice(TEXTS)}\r\n".encode("ascii")


@dataclass(slots=True, kw_only=True)
class Slow(Fault):
    """Answers come at no more than 'kb' kilobytes a second, as over a slow adapter."""

    kb: float = 50.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("kb", 0.05, 1e6)

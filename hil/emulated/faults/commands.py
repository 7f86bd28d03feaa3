"""Faults of commands and their answers: damaged uploads, refusals, and damaged or slow answers."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field

from hil.emulated.faults.fault import Fault
from hil.emulated.faults.frames import LOG_LINES
from stinger.wire.commands import DUMP_HEADER

_LOG = DUMP_HEADER.encode("ascii")


@dataclass(slots=True, kw_only=True)
class CommandFault(Fault):
    """Hits each command with the probability ``rate``, at most ``times`` times in all (0: no limit)."""

    rate: float = 1.0
    times: float = 0.0
    _hits: int = field(init=False, default=0, repr=False)

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("rate", 0, 1)
        self.require("times", 0, math.inf)

    def draw(self, t_s: float) -> bool:
        """Draw whether it hits a command at ``t_s``; call it once per command."""
        if not self.active(t_s) or (self.times and self._hits >= self.times) or self.rng.random() >= self.rate:
            return False
        self._hits += 1
        return True


@dataclass(slots=True, kw_only=True)
class UploadFault(CommandFault):
    """Hits uploads, which arrive in several chunks."""

    _awaited: int = field(init=False, default=-1, repr=False)
    _hit: bool = field(init=False, default=False, repr=False)

    def apply(self, chunk: bytes, awaited: int, t_s: float) -> bytes:
        """Return the part of a chunk of an upload that arrives; ``awaited`` bytes were missing before the chunk."""
        is_first = awaited != self._awaited
        if is_first:
            self._hit = self.draw(t_s)
        arrives = self.hit(chunk, is_first=is_first) if self._hit else chunk
        self._awaited = awaited - len(arrives)
        return arrives

    @abstractmethod
    def hit(self, chunk: bytes, *, is_first: bool) -> bytes:
        """Return the part that arrives of a chunk of an upload that the fault hits."""


@dataclass(slots=True, kw_only=True)
class BadCrc(UploadFault):
    """An upload arrives with a bit flipped, so that its CRC is wrong."""

    def hit(self, chunk: bytes, *, is_first: bool) -> bytes:
        """Return the first chunk with a bit flipped."""
        return bytes([chunk[0] ^ 1]) + chunk[1:] if is_first else chunk


@dataclass(slots=True, kw_only=True)
class LostEnd(UploadFault):
    """The end of an upload does not arrive, so that the device times out."""

    def hit(self, chunk: bytes, *, is_first: bool) -> bytes:
        """Return half of the first chunk, and nothing of the others."""
        return chunk[: len(chunk) // 2] if is_first else b""


@dataclass(slots=True, kw_only=True)
class Busy(CommandFault):
    """Reading the log or uploading is refused, as if the device were firing."""


@dataclass(slots=True, kw_only=True)
class CutLog(CommandFault):
    """'lost' bytes from the middle of a log do not arrive."""

    lost: float = 1000

    def __post_init__(self) -> None:
        CommandFault.__post_init__(self)
        self.require("lost", 1, 2**24)

    def apply(self, answer: bytes, t_s: float) -> bytes:
        """Return what is sent instead of ``answer``."""
        if not answer.startswith(_LOG) or not self.draw(t_s):
            return answer
        middle = len(answer) // 2
        return answer[:middle] + answer[middle + int(self.lost) :]


@dataclass(slots=True, kw_only=True)
class Chatter(CommandFault):
    """A line of debug output comes before each line of an answer, and before a log."""

    def apply(self, answer: bytes, t_s: float) -> bytes:
        """Return what is sent instead of ``answer``."""
        lines = [answer] if answer.startswith(_LOG) else answer.splitlines(keepends=True)
        return b"".join(part for line in lines for part in ((self._text(), line) if self.draw(t_s) else (line,)))

    def _text(self) -> bytes:
        return f"{self.rng.choice(LOG_LINES)}\r\n".encode("ascii")


@dataclass(slots=True, kw_only=True)
class Slow(Fault):
    """Answers are limited to 'kb' kilobytes per second, as over a slow adapter."""

    kb: float = 50.0

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("kb", 0.05, 1e6)

"""Faults of single frames on the wire.

Lost, duplicated, reordered or damaged frames, and foreign bytes between them.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

from hil.emulated.faults.fault import Fault, Packet

LOG_LINES = ("[ml] still", "[imu] fifo overrun", "[batt] 7.4 V", "rev=1 fps=80", "Stinger ready")
"""Debug output of the firmware."""


@dataclass(slots=True, kw_only=True)
class FrameFault(Fault):
    """Hits each frame with the probability ``rate``."""

    rate: float = 0.01

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("rate", 0, 1)

    def apply(self, packet: Packet, t_s: float) -> list[Packet]:
        """Return what is sent instead of ``packet``, in order."""
        if self.active(t_s) and self.rng.random() < self.rate:
            return self.hit(packet)
        return self.pass_through(packet)

    @abstractmethod
    def hit(self, packet: Packet) -> list[Packet]:
        """Return what is sent instead of a packet that the fault hits."""

    def pass_through(self, packet: Packet) -> list[Packet]:
        """Return what is sent with a packet that the fault does not hit."""
        return [packet]


@dataclass(slots=True, kw_only=True)
class Drop(FrameFault):
    """Frames are lost."""

    def hit(self, packet: Packet) -> list[Packet]:
        """Return nothing."""
        del packet
        return []


@dataclass(slots=True, kw_only=True)
class Duplicate(FrameFault):
    """Frames are sent twice."""

    def hit(self, packet: Packet) -> list[Packet]:
        """Return the frame twice."""
        return [packet, packet]


@dataclass(slots=True, kw_only=True)
class Reorder(FrameFault):
    """Frames are sent late, 'by' frames after their turn."""

    by: float = 1
    _held: list[tuple[int, Packet]] = field(init=False, default_factory=list, repr=False)

    def __post_init__(self) -> None:
        FrameFault.__post_init__(self)
        self.require("by", 1, 1000)

    def hit(self, packet: Packet) -> list[Packet]:
        """Hold the frame back, and return the held frames that are due."""
        released = self._released()
        self._held.append((int(self.by), packet))
        return released

    def pass_through(self, packet: Packet) -> list[Packet]:
        """Return the frame, then the held frames that are due."""
        return [packet, *self._released()]

    def _released(self) -> list[Packet]:
        held = [(left - 1, packet) for left, packet in self._held]
        self._held = [entry for entry in held if entry[0] > 0]
        return [packet for left, packet in held if left <= 0]


@dataclass(slots=True, kw_only=True)
class Corrupt(FrameFault):
    """'bits' bits of a frame are flipped."""

    bits: float = 1

    def __post_init__(self) -> None:
        FrameFault.__post_init__(self)
        self.require("bits", 1, 1000)

    def hit(self, packet: Packet) -> list[Packet]:
        """Return the frame with ``bits`` different bits flipped, or all if it has fewer."""
        data = bytearray(packet.data)
        for bit in self.rng.sample(range(8 * len(data)), min(int(self.bits), 8 * len(data))):
            data[bit // 8] ^= 1 << bit % 8
        return [Packet(packet.number, bytes(data), intact=False)]


@dataclass(slots=True, kw_only=True)
class Cut(FrameFault):
    """Frames are cut off before their end."""

    def hit(self, packet: Packet) -> list[Packet]:
        """Return the frame without its end, at least one byte."""
        return [Packet(packet.number, packet.data[: self.rng.randrange(len(packet.data))], intact=False)]


@dataclass(slots=True, kw_only=True)
class Garbage(FrameFault):
    """'bytes' random bytes come before a frame."""

    bytes: float = 30

    def __post_init__(self) -> None:
        FrameFault.__post_init__(self)
        self.require("bytes", 1, 100_000)

    def hit(self, packet: Packet) -> list[Packet]:
        """Return random bytes, then the frame."""
        return [Packet(-1, self.rng.randbytes(int(self.bytes))), packet]


@dataclass(slots=True, kw_only=True)
class Text(FrameFault):
    """A line of the firmware's debug output comes before a frame."""

    def hit(self, packet: Packet) -> list[Packet]:
        """Return a line, then the frame."""
        return [Packet(-1, f"{self.rng.choice(LOG_LINES)}\r\n".encode("ascii")), packet]

"""Faults of single frames on their way: lost, doubled, swapped, damaged, and strange bytes between them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

from hil.emulated.faults.fault import Fault, Packet

TEXTS = ("[ml] still", "[imu] fifo overrun", "[batt] 7.4 V", "rev=1 fps=80", "Stinger ready")
"""What firmware prints for its makers."""


@dataclass(slots=True, kw_only=True)
class FrameFault(Fault):
    """Happens to one frame in ``1 / rate``, by chance."""

    rate: float = 0.01

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        self.require("rate", 0, 1)

    def take(self, packet: Packet, t_s: float) -> list[Packet]:
        """What is sent instead of ``packet``, in order."""
        if self.active(t_s) and self.chance.random() < self.rate:
            return self.strike(packet)
        return self.spare(packet)

    @abstractmethod
    def strike(self, packet: Packet) -> list[Packet]:
        """What is sent instead of a packet that it happens to."""

    def spare(self, packet: Packet) -> list[Packet]:
        """What is sent with a packet that it does not happen to."""
        return [packet]


@dataclass(slots=True, kw_only=True)
class Drop(FrameFault):
    """Frames get lost."""

    def strike(self, packet: Packet) -> list[Packet]:
        """Nothing is sent."""
        del packet
        return []


@dataclass(slots=True, kw_only=True)
class Duplicate(FrameFault):
    """Frames come twice."""

    def strike(self, packet: Packet) -> list[Packet]:
        """The frame is sent twice."""
        return [packet, packet]


@dataclass(slots=True, kw_only=True)
class Reorder(FrameFault):
    """Frames come 'by' frames late, after others."""

    by: float = 1
    _held: list[tuple[int, Packet]] = field(init=False, default_factory=list, repr=False)

    def __post_init__(self) -> None:
        FrameFault.__post_init__(self)
        self.require("by", 1, 1000)

    def strike(self, packet: Packet) -> list[Packet]:
        """The frame is held back; those whose turn has come are sent."""
        released = self._released()
        self._held.append((int(self.by), packet))
        return released

    def spare(self, packet: Packet) -> list[Packet]:
        """The frame, then those whose turn has come."""
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

    def strike(self, packet: Packet) -> list[Packet]:
        """The frame with some bits flipped, each another one as far as there are so many."""
        data = bytearray(packet.data)
        for bit in self.chance.sample(range(8 * len(data)), min(int(self.bits), 8 * len(data))):
            data[bit // 8] ^= 1 << bit % 8
        return [Packet(packet.number, bytes(data), intact=False)]


@dataclass(slots=True, kw_only=True)
class Cut(FrameFault):
    """Frames end too early, their last byte included."""

    def strike(self, packet: Packet) -> list[Packet]:
        """The frame without a part of its end, at least one byte."""
        return [Packet(packet.number, packet.data[: self.chance.randrange(len(packet.data))], intact=False)]


@dataclass(slots=True, kw_only=True)
class Garbage(FrameFault):
    """'bytes' random bytes stand before a frame."""

    bytes: float = 30

    def __post_init__(self) -> None:
        FrameFault.__post_init__(self)
        self.require("bytes", 1, 100_000)

    def strike(self, packet: Packet) -> list[Packet]:
        """Random bytes, then the frame."""
        return [Packet(-1, self.chance.randbytes(int(self.bytes))), packet]


@dataclass(slots=True, kw_only=True)
class Text(FrameFault):
    """A line of text, as firmware prints for its makers, stands before a frame."""

    def strike(self, packet: Packet) -> list[Packet]:
        """A line, then the frame."""
        return [Packet(-1, f"{self.chance.choice(TEXTS)}\r\n".encode("ascii")), packet]

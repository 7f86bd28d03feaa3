"""The values and interfaces between sources and the flow.

Blocks of samples, the state of a link, `Source` and `Intake`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from stinger.device_name import DeviceName
from stinger.sample import SampleArray
from stinger.units import NS_PER_S


class LinkState(Enum):
    """State of the link to a device; the value is the text that is published."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    SILENT = "silent"
    """Open, but without a sample for two seconds."""
    LOST = "lost"
    """Unplugged, refused or closed; the source is trying to reconnect."""
    ENDED = "ended"
    """A recording was played to its end, or the daemon was stopped or serves the device no longer."""


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """Totals since the source started. A counter that a kind of source cannot measure stays 0."""

    samples: int = 0
    lost: int = 0
    """Samples that the device sent but that never arrived, as its sequence numbers show."""
    corrupted: int = 0
    """Frames or lines that arrived damaged."""
    out_of_order: int = 0
    reconnects: int = 0
    late: int = 0
    """Samples that arrived after newer ones or repeated the one before, or whose device's clock is not usable:
    dropped."""
    thinned: int = 0
    """Samples of a stream of more than 100 Hz that were left out."""
    unscored: int = 0
    """Samples that were not scored, as their rate is not about 100 Hz."""


@dataclass(frozen=True, slots=True)
class LinkReport:
    """The state of the link to ``device``, sent when it changes and repeated at intervals."""

    device: DeviceName
    state: LinkState
    reason: str
    """One line for a person; empty while there is no problem."""
    counters: LinkCounters
    clock_usable: bool = True
    """Whether the device's clock shows when samples were taken; if not, they are dropped."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive samples of one device, at least one, at 100 Hz; time never decreases within a block.

    ``samples`` may be read-only. Ages and durations are measured on the host's monotonic clock, which no one sets: only
    :attr:`taken_s` is Unix time.
    """

    device: DeviceName
    samples: SampleArray
    taken_ns: npt.NDArray[np.float64]
    """``(n,)``: when each sample was taken, on the host's monotonic clock, by the source's estimate of the device's
    clock."""
    unix_offset_s: float
    """What to add to a monotonic time to get Unix time, in seconds, as of when the block was built."""
    read_ns: int
    """``time.monotonic_ns()`` when the bytes were read."""
    clock_zero_ms: int
    """Unix time in ms at which the device's clock was 0, as estimated at the boot's first sample: it identifies the
    boot."""
    boot: int = 0
    """Grows by one whenever the device's clock started over: reboot, wrap, a recording played again."""
    rate_problem: str | None = None
    """Why the samples must not be scored, as a phrase after "has": their rate is not about 100 Hz; ``None`` if they may
    be."""
    warm_up: bool = False
    """Whether the samples were processed before, by another daemon: they fill window and envelope, and reach no
    sink."""
    position: int = 0
    """Number of the message that held the samples, in a stream that keeps its messages; 0 elsewhere."""

    @property
    def taken_s(self) -> npt.NDArray[np.float64]:
        """``(n,)``: when each sample was taken, in seconds of Unix time."""
        return self.taken_ns / NS_PER_S + self.unix_offset_s


class Intake(Protocol):
    """Receives blocks and link reports from sources."""

    async def put(self, block: Block) -> None:
        """Accept a block; wait while too many samples are queued, so that a fast source slows down and loses nothing."""

    def link(self, report: LinkReport) -> None:
        """Accept a link report. Any state but STREAMING restarts the device's window."""


class SampleDater(Protocol):
    """Dates samples that a source passes on one by one, when their dates are needed."""

    def take_next(self, record: bytes, time_ms: int, read_ns: int) -> None:
        """Take the next sample into account."""

    def take_dates(self) -> list[float]:
        """Return when each sample since the last call was taken, as in :attr:`Block.taken_ns`."""

    def unix_offset_s(self) -> float:
        """Return what to add now to a monotonic time to get Unix time, in seconds."""


@runtime_checkable
class SingleIntake(Intake, Protocol):
    """An intake that also receives samples one by one, which costs a fraction of a block."""

    def put_single(self, device: DeviceName, record: bytes, time_ms: int, read_ns: int, dater: SampleDater) -> bool:
        """Record and score the sample in ``record``, whose bytes were read at ``read_ns``, and return True.

        It continues the device's newest block and was taken at ``time_ms`` on the device's clock; ``dater`` takes it
        into account. Return False, with nothing done, for a sample that must come as a block.
        """


class Source(Protocol):
    """One origin of samples."""

    @property
    def url(self) -> str:
        """The URL as the user wrote it, without passwords."""

    async def run(self, intake: Intake) -> None:
        """Deliver blocks until cancelled, reconnecting after every loss of the link; return when no more can come.

        Raises :class:`~stinger.errors.InputError` for a problem that a retry cannot solve, such as a recording that
        does not exist. Cancelling closes every port and file.
        """

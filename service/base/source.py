"""What the daemon is made of, between its stages: blocks of samples that sources bring, and how their links are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stinger.device_name import DeviceName
from stinger.sample import SampleArray


class LinkState(Enum):
    """How the link to a device is; the value is what is published."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    SILENT = "silent"
    """Open, but no sample has come for two seconds."""
    LOST = "lost"
    """Unplugged, refused, closed: it is being tried again."""
    ENDED = "ended"
    """A recording was played to its end."""


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """Since the source began; what a kind of source cannot tell stays 0."""

    samples: int = 0
    lost: int = 0
    """Samples that the device sent and that never came, told by sequence numbers."""
    corrupted: int = 0
    """Frames or lines that came damaged."""
    out_of_order: int = 0
    reconnects: int = 0


@dataclass(frozen=True, slots=True)
class LinkReport:
    """The link of ``device`` is in another state than before, or says once more how it is."""

    device: DeviceName
    state: LinkState
    reason: str
    """For a person, one line; empty where all is well."""
    counters: LinkCounters


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Samples of one device as they came, n >= 1, at 100 Hz, never going back in time within a block.

    ``taken_s`` ``(n,) float64`` is when each sample was taken, in seconds of the host's wall clock (Unix time), by the
    source's estimate of the device's clock. ``read_ns`` is ``time.monotonic_ns()`` when the bytes were read. ``boot``
    grows by one whenever the device's clock started over (reboot, wrap, a recording begun again). ``samples`` may be
    read-only. The age of a sample is ``service.sources.wall_clock.HOST_CLOCK.now_s()`` less its ``taken_s``.
    """

    device: DeviceName
    samples: SampleArray
    taken_s: npt.NDArray[np.float64]
    read_ns: int
    boot: int = 0


class Intake(Protocol):
    """Where sources bring what they have."""

    async def put(self, block: Block) -> None:
        """Hand over a block; waits while the flow is behind, so that a fast source is slowed and loses nothing."""

    def link(self, report: LinkReport) -> None:
        """Say how a link is. After any state but STREAMING the device's window starts over."""


class Source(Protocol):
    """One place where samples come from."""

    @property
    def url(self) -> str:
        """As the user wrote it, without passwords."""

    async def run(self, intake: Intake) -> None:
        """Bring blocks until cancelled, through every loss of the link; return only when there can be no more.

        Raises :class:`~stinger.errors.InputError` for what trying again cannot mend, such as a recording that does not
        exist. Cancelling closes every port and file.
        """

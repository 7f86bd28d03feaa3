"""States of a device and of the daemon, as values: each holds until the next one replaces it.

Events are in ``events``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from service.base.source import Block
from stinger.device_name import DeviceName


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """Which model scores a device, and the smoothed probability at which its wheels go on."""

    device: DeviceName
    host_s: float
    """Unix time in seconds since which this holds."""
    model: str
    threshold: float


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """Whether the daemon is online. Its MQTT will publishes ``offline`` if it can no longer do so itself."""

    online: bool
    host_s: float | None
    """Unix time in seconds; ``None`` in a will, since its time cannot be known beforehand."""
    reason: str
    """``started``, ``stopped``, or ``lost`` in a will."""
    version: str
    """Version of the daemon."""
    instance: str
    """Random text that differs between two runs of a daemon, and so between two daemons."""
    alarms: Mapping[str, str] = field(default_factory=dict)
    """Problems that need a person, such as a full disk: a text for each topic (:mod:`service.ops.remedies`)."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """When a block of samples passed each stage of the daemon, in ns of the host's monotonic clock."""

    read_ns: int
    """When its bytes were read."""
    scored_ns: int
    """When it was scored, and the wheels were decided on."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredBlocks:
    """Blocks of several devices that were scored in one run of the model, and their scores."""

    blocks: Sequence[Block]
    probability: npt.NDArray[np.float32]
    """``(n,)``: the scores of all samples, one block after another; NaN for a sample without a score."""
    starts: npt.NDArray[np.intp]
    """``(k + 1,)``: the indices at which the scores of each block begin, and those of the last one end."""
    scored_ns: Sequence[int]
    """When each block was scored, and the wheels were decided on, in ns of the host's monotonic clock."""

    def each(self) -> Iterator[tuple[Block, npt.NDArray[np.float32], Stamps]]:
        """Iterate over the blocks, each with its scores and stamps."""
        bounds = self.starts.tolist()
        for i, block in enumerate(self.blocks):
            yield block, self.probability[bounds[i] : bounds[i + 1]], Stamps(block.read_ns, self.scored_ns[i])


@dataclass(frozen=True, slots=True, eq=False)
class ScoredSingles:
    """Consecutive samples of one device that arrived, and were recorded and scored, one by one."""

    block: Block
    """The samples; its :attr:`Block.read_ns` is that of the last one."""
    probability: npt.NDArray[np.float32]
    """``(n,)``: their scores."""
    passed_ns: Sequence[tuple[int, int, int]]
    """When each was read, when its scoring began, and when the wheels were decided on, in ns of the monotonic clock."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreBlock:
    """Scores of consecutive samples of one device."""

    device: DeviceName
    first_device_ms: int
    period_ms: int
    probabilities: npt.NDArray[np.float32]
    """``(n,)``; NaN for a sample without a score."""


@dataclass(frozen=True, slots=True)
class RecorderStats:
    """Totals of all devices since the recorder started."""

    samples: int
    bytes: int
    lost: int
    """Samples that could not be written."""
    errors: int
    """Failed system calls."""
    files: int
    """Recordings started."""
    open_files: int
    alarm: bool


@dataclass(frozen=True, slots=True)
class UploadTotals:
    """Totals of uploading recordings to shared storage since the start, and what waits now."""

    uploaded: int = 0
    """Recordings that were uploaded."""
    uploaded_bytes: int = 0
    failures: int = 0
    """Uploads that failed and were tried again."""
    waiting: int = 0
    """Closed recordings that are not uploaded."""
    waiting_bytes: int = 0
    waiting_s: float = 0.0
    """For how long the oldest of them has waited, since the start at most."""


@dataclass(frozen=True, slots=True)
class Saved:
    """Whether what was processed would survive the end of the process."""

    complete: bool
    """Whether all of it is in files now: recordings and outbox."""
    lost_samples: int
    """Number of samples, since the start, that could not be recorded."""


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """Figures of this daemon's part in the group, for metrics."""

    partitions: int
    """Partitions of the group."""
    held: int
    """Partitions that this daemon reads."""
    lag_messages: int
    """Messages of these that wait to be scored."""
    lag_s: float
    """Age of the oldest of them; 0 if none waits."""
    takeovers: int
    ignored: int
    """Messages that are no samples, or of devices that were not accepted."""

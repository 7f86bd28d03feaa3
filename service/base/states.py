"""What is true of a device or of the daemon until it is said anew, as values; beside the events of ``service.base.events``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stinger.device_name import DeviceName


@dataclass(frozen=True, slots=True)
class ModelInUse:
    """Which model scores a device, and from which probability on its wheels spin."""

    device: DeviceName
    host_s: float
    """Since when, Unix time."""
    model: str
    threshold: float


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """How the daemon is. It says ``online`` itself; what it cannot say any more, its will says for it."""

    online: bool
    host_s: float | None
    """When this was so, Unix time; ``None`` in a will, whose moment nobody knows beforehand."""
    reason: str
    """``started``, ``stopped``, or ``lost`` in a will."""
    version: str
    """Of the daemon."""
    alarm: str = ""
    """What a person must see to, such as a full disk; empty where there is nothing."""


@dataclass(frozen=True, slots=True)
class Stamps:
    """When a block of samples passed the daemon's stages, in nanoseconds of the host's monotonic clock."""

    read_ns: int
    scored_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class ScoreBlock:
    """The model's outputs of consecutive samples of one device, as they were made."""

    device: DeviceName
    first_device_ms: int
    period_ms: int
    probabilities: npt.NDArray[np.float32]
    """``(n,)``; NaN where a sample had no score."""


@dataclass(frozen=True, slots=True)
class RecorderStats:
    """Since the recorder began, for all devices."""

    samples: int
    bytes: int
    lost: int
    """Samples that came while they could not be written."""
    errors: int
    """Times that the system refused something."""
    files: int
    """Recordings begun."""
    open_files: int
    alarm: bool

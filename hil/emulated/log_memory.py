"""The blaster's log: flash memory for 14 minutes, and a logger that pauses while the blaster is at rest."""

from __future__ import annotations

from typing import Final

import numpy as np

from stinger.sample import SAMPLE_DTYPE, SAMPLE_RATE_HZ, SampleArray

LOG_MAX_SAMPLES: Final = 14 * 60 * SAMPLE_RATE_HZ
"""14 minutes; a full log accepts no more samples."""
STILL_PAUSE_MS: Final = 1500
"""The logger pauses once the blaster has been at rest for this long, as in the firmware."""
STILL_GYRO_LSB: Final = 120
"""A magnitude of the gyroscope below this counts as rest: three times the largest noise of a resting sensor."""

_STILL_SAMPLES: Final = STILL_PAUSE_MS * SAMPLE_RATE_HZ // 1000


class LogMemory:
    """The log in flash memory, which survives reboots."""

    def __init__(self, logged: SampleArray | None = None) -> None:
        """Start with ``logged`` ``(n,)`` in the log, cut to its capacity."""
        self._samples = np.empty(LOG_MAX_SAMPLES, dtype=SAMPLE_DTYPE)
        self._count = 0
        self._still = 0
        if logged is not None:
            self._count = min(logged.shape[0], LOG_MAX_SAMPLES)
            self._samples[: self._count] = logged[: self._count]

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        """Whether there is no room for another sample."""
        return self._count == LOG_MAX_SAMPLES

    def add(self, sample: SampleArray, *, paused: bool) -> None:
        """Log ``sample`` ``(1,)``, unless the log is full, logging is ``paused``, or the blaster is at rest."""
        _, _, _, _, x, y, z, pressed = sample.item(0)
        if pressed or x * x + y * y + z * z >= STILL_GYRO_LSB**2:
            self._still = 0
        else:
            self._still += 1
        if paused or self._still > _STILL_SAMPLES or self.full:
            return
        self._samples[self._count] = sample[0]
        self._count += 1

    def reboot(self) -> None:
        """Reboot: the log stays in flash."""
        self._still = 0

    def to_bytes(self) -> bytes:
        """Return the log as the bytes of a ``.bin`` file."""
        return self._samples[: self._count].tobytes()

"""The blaster's log: flash for some 14 minutes, and a logger that pauses while the blaster lies still."""

from __future__ import annotations

from typing import Final

import numpy as np

from stinger.sample import SAMPLE_DTYPE, SAMPLE_RATE_HZ, SampleArray

LOG_MAX_SAMPLES: Final = 14 * 60 * SAMPLE_RATE_HZ
"""14 minutes; a full log takes no more."""
STILL_PAUSE_MS: Final = 1500
"""The logger pauses once the blaster has lain still for this long (the firmware's rule)."""
STILL_GYRO_LSB: Final = 120
"""A gyroscope's magnitude below this is no movement: three times the most noise that a resting sensor has."""

_STILL_SAMPLES: Final = STILL_PAUSE_MS * SAMPLE_RATE_HZ // 1000


class LogMemory:
    """What was logged, boot after boot, as it stands in flash."""

    def __init__(self, logged: SampleArray | None = None) -> None:
        """Start with ``logged`` ``(n,)`` in the log; what is beyond its capacity was never written."""
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

    def take(self, sample: SampleArray, *, paused: bool) -> None:
        """Log ``sample`` ``(1,)``, unless the log is full, logging is ``paused``, or the blaster lies still."""
        _, _, _, _, x, y, z, pressed = sample.item(0)
        if pressed or x * x + y * y + z * z >= STILL_GYRO_LSB**2:
            self._still = 0
        else:
            self._still += 1
        if paused or self._still > _STILL_SAMPLES or self.full:
            return
        self._samples[self._count] = sample[0]
        self._count += 1

    def restart(self) -> None:
        """Begin another boot: what is in flash stays."""
        self._still = 0

    def to_bytes(self) -> bytes:
        """The bytes of the log file."""
        return self._samples[: self._count].tobytes()

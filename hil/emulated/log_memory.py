"""The blaster's log: flash memory for 14 minutes, and a logger that pauses while the blaster is at rest."""

from __future__ import annotations

from typing import Final

import numpy as np

from stinger.sample import SAMPLE_DTYPE, SAMPLE_RATE_HZ, SampleArray, axes

LOG_MAX_SAMPLES: Final = 14 * 60 * SAMPLE_RATE_HZ
"""14 minutes; a full log accepts no more samples."""
STILL_GYRO_LSB: Final = 45
"""A sample is still if each axis of the gyroscope is at most this,"""
STILL_STEP_LSB: Final = 30
"""and no channel differs from the sample before by more than this."""
STILL_SAMPLES: Final = 150
"""The logger pauses after this many still samples in a row with the trigger released."""
MOVING_STEP_LSB: Final = 140
"""While it pauses, a sample is moving if an axis of the gyroscope is above the limit for still ones, or a channel
differs by at least this,"""
MOVING_SAMPLES: Final = 10
"""and the logger resumes after this many moving samples in a row, or with the trigger."""


class _StillRule:
    """The rule by which the logger pauses while the blaster lies still. Source: the Stinger firmware."""

    def __init__(self) -> None:
        self._before: list[int] | None = None
        self._in_a_row = 0  # still samples, or moving ones while it pauses
        self._pausing = False

    def logs(self, sample: SampleArray) -> bool:
        """Process ``sample`` ``(1,)``, and return whether it is logged."""
        channels = axes(sample)[0].tolist()
        step = 0 if self._before is None else max(abs(a - b) for a, b in zip(channels, self._before, strict=True))
        turning = max(map(abs, channels[3:])) > STILL_GYRO_LSB
        self._before = channels
        if sample["trigger"][0]:
            self._pausing, self._in_a_row = False, 0
        elif self._pausing:
            self._in_a_row = self._in_a_row + 1 if turning or step >= MOVING_STEP_LSB else 0
            if self._in_a_row >= MOVING_SAMPLES:
                self._pausing, self._in_a_row = False, 0
        else:
            self._in_a_row = 0 if turning or step > STILL_STEP_LSB else self._in_a_row + 1
            if self._in_a_row >= STILL_SAMPLES:
                self._pausing, self._in_a_row = True, 0
                return True
        return not self._pausing


class LogMemory:
    """The log in flash memory, which survives reboots.

    The menu's "Start ML Recording" starts it (:meth:`begin`). A reboot ends the recording; the log stays until the next
    start, which clears it.
    """

    def __init__(self, logged: SampleArray | None = None) -> None:
        """Start with ``logged`` ``(n,)`` in the log, cut to its capacity, and no recording; without it, there is no log."""
        self._samples = np.empty(LOG_MAX_SAMPLES, dtype=SAMPLE_DTYPE)
        self._count = 0
        self._rule = _StillRule()
        self.exists = logged is not None
        """Whether there is a log, also an empty one: a recording was started at least once."""
        self.recording = False
        """Whether samples are logged."""
        if logged is not None:
            self._count = min(logged.shape[0], LOG_MAX_SAMPLES)
            self._samples[: self._count] = logged[: self._count]

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        """Whether there is no room for another sample."""
        return self._count == LOG_MAX_SAMPLES

    def begin(self) -> None:
        """Start recording; this clears the log. Do nothing while it records."""
        if not self.recording:
            self.exists = self.recording = True
            self._count = 0
            self._rule = _StillRule()

    def add(self, sample: SampleArray, *, paused: bool) -> None:
        """Log ``sample`` ``(1,)``, unless it does not record, is full or ``paused``, or the blaster lies still."""
        if not self.recording or paused or not self._rule.logs(sample) or self.full:
            return
        self._samples[self._count] = sample[0]
        self._count += 1

    def reboot(self) -> None:
        """Reboot: the log stays in flash, and recording is off."""
        self.recording = False

    def to_bytes(self) -> bytes:
        """Return the log as the bytes of a ``.bin`` file."""
        return self._samples[: self._count].tobytes()

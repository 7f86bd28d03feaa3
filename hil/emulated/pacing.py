"""Converts the 100 Hz samples to the rate of the stream by repeating or skipping samples."""

from __future__ import annotations

from stinger.sample import SAMPLE_RATE_HZ


class Pacing:
    """Distributes a stream's rows over the samples: 16 per sample at 1600 Hz, one for every second sample at 50 Hz.

    All rows of a sample repeat it, as in old firmware; there is no interpolation.
    """

    def __init__(self) -> None:
        self._owed = 0

    def rows(self, rate_hz: int) -> int:
        """Return how many rows the next sample gets; over any second they add up to ``rate_hz``."""
        self._owed += rate_hz
        count, self._owed = divmod(self._owed, SAMPLE_RATE_HZ)
        return count

    def restart(self) -> None:
        """Restart the stream, so that the next sample gets a row at any rate."""
        self._owed = SAMPLE_RATE_HZ - 1

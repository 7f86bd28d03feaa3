"""Which samples of the 100 Hz path a stream of another rate shows, and how often."""

from __future__ import annotations

from stinger.sample import SAMPLE_RATE_HZ


class Pacing:
    """Spreads a stream's rows over the samples: 16 a sample at 1600 Hz, one in two samples at 50 Hz.

    Rows of one sample repeat it, as old firmware does: nothing is made up between two samples.
    """

    def __init__(self) -> None:
        self._owed = 0

    def rows(self, rate_hz: int) -> int:
        """How many rows the next sample gets; over any second, ``rate_hz`` in all."""
        self._owed += rate_hz
        count, self._owed = divmod(self._owed, SAMPLE_RATE_HZ)
        return count

    def restart(self) -> None:
        """Begin with the next sample, at any rate."""
        self._owed = SAMPLE_RATE_HZ - 1

"""A limit: what a measurement must be, and how near to it is too near for comfort."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a measurement, a scenario or a run came out, best first, so that a run is as good as its last by this order.

    ``SKIPPED`` is a scenario that does not apply here, ``UNSET`` a measurement that could not be made.
    """

    SKIPPED = "skipped"
    PASS = "pass"  # noqa: S105 -- no password
    MARGINAL = "marginal"
    INCONCLUSIVE = "inconclusive"
    UNSET = "unset"
    FAIL = "fail"

    @property
    def good(self) -> bool:
        """Whether a run may end with it and exit 0."""
        return self in (Verdict.SKIPPED, Verdict.PASS, Verdict.MARGINAL)

    @property
    def rank(self) -> int:
        """Its place in the order, 0 for the best: ``max(verdicts, key=lambda verdict: verdict.rank)`` is the worst."""
        return list(Verdict).index(self)


@dataclass(frozen=True, slots=True)
class Limit:
    """At least ``at_least`` and at most ``at_most``, each where given; equal to both where they are the same.

    A value that keeps the limit, yet lies within ``marginal`` (in the measurement's unit) of an end, is marginal.
    """

    at_least: float | None = None
    at_most: float | None = None
    marginal: float = 0.0

    def judge(self, value: float | None) -> Verdict:
        """What a measured value is; ``None``, what could not be measured, is ``UNSET``, and no number fails."""
        if value is None:
            return Verdict.UNSET
        low = float("-inf") if self.at_least is None else self.at_least
        high = float("inf") if self.at_most is None else self.at_most
        if not low <= value <= high:  # not a number as well
            return Verdict.FAIL
        if self.marginal and (value < low + self.marginal or value > high - self.marginal):
            return Verdict.MARGINAL
        return Verdict.PASS

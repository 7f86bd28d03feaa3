"""Limits of measurements, and the verdicts that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The result of a measurement, a scenario or a run, from best to worst; a run gets its worst scenario's verdict.

    ``SKIPPED`` is a scenario that does not apply here, ``UNSET`` a measurement that has a limit but no value.
    """

    SKIPPED = "skipped"
    PASS = "pass"  # noqa: S105 -- not a password
    MARGINAL = "marginal"
    INCONCLUSIVE = "inconclusive"
    UNSET = "unset"
    FAIL = "fail"

    @property
    def good(self) -> bool:
        """Whether a run with this verdict exits with 0."""
        return self in (Verdict.SKIPPED, Verdict.PASS, Verdict.MARGINAL)

    @property
    def rank(self) -> int:
        """The place in the order, 0 for the best: ``max(verdicts, key=lambda verdict: verdict.rank)`` is the worst."""
        return list(Verdict).index(self)


@dataclass(frozen=True, slots=True)
class Limit:
    """The allowed range of a measurement.

    From ``at_least`` to ``at_most``, both included; ``None`` means no limit on that side. An allowed value closer than
    ``marginal`` (in the measurement's unit) to an end of the range is marginal.
    """

    at_least: float | None = None
    at_most: float | None = None
    marginal: float = 0.0

    def judge(self, value: float | None) -> Verdict:
        """Return the verdict on ``value``: ``UNSET`` for ``None``, ``FAIL`` for NaN."""
        if value is None:
            return Verdict.UNSET
        low = float("-inf") if self.at_least is None else self.at_least
        high = float("inf") if self.at_most is None else self.at_most
        if not low <= value <= high:  # NaN as well
            return Verdict.FAIL
        if self.marginal and (value < low + self.marginal or value > high - self.marginal):
            return Verdict.MARGINAL
        return Verdict.PASS

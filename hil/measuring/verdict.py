"""What a scenario's measurements prove, on the machine that they were made on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hil.limits import Verdict
from hil.measuring.definitions import MEASUREMENTS
from hil.record import Measurement

NOISY_MS: Final = 1.0
"""A machine that wakes a sleeping process later than this, one time in a hundred, says little about limits of time."""
EXPLAINED: Final = 5
"""So many times that much it may add to a latency, for each device: a sample wakes four processes, one after another, on its
way, and of several devices one sample waits for the others'."""

_UNIT_MS: Final = {"ms": 1.0, "s": 1000.0}


def verdict_of(
    measurements: Sequence[Measurement], host_late_p99_ms: float | None, *, devices: int = 1
) -> tuple[Verdict, str]:
    """The worst verdict of all, and why, where the measurements do not say it. So many ``devices`` were there at a time.

    If the machine itself was late, and only limits of time were missed, and by no more than that explains, nothing is
    proved.
    """
    missed = [each for each in measurements if each.verdict in (Verdict.FAIL, Verdict.UNSET)]
    late_ms = host_late_p99_ms or 0.0
    if missed and late_ms > NOISY_MS and all(_explained(each, EXPLAINED * late_ms * devices) for each in missed):
        return Verdict.INCONCLUSIVE, f"this machine itself woke up {late_ms:.1f} ms late one time in a hundred"
    verdicts = [each.verdict for each in measurements if each.verdict is not None]
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.PASS), ""


def _explained(missed: Measurement, by_ms: float) -> bool:
    """Whether a machine that makes things later by so much may be all that is behind a limit missed."""
    if not MEASUREMENTS[missed.name].timing or missed.value is None or missed.limit is None:
        return False
    if missed.limit.at_most is None:
        return False
    unit_ms = _UNIT_MS.get(missed.unit)
    return unit_ms is None or (missed.value - missed.limit.at_most) * unit_ms <= by_ms

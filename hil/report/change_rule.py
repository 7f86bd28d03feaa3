"""When a value or a latency of a run counts as changed: by how much it must have moved since the baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from hil.limits import Limit
from hil.record import Latency
from hil.report.formatting import duration_us

_VALUE_SHARE: Final = 0.10
_LIMIT_SHARE: Final = 0.01
_DISTANCE_SHARE: Final = 0.25
"""Smallest changes that count: as a share of the value, of its limit, and of its distance to the limit; see
:func:`rule`."""
_FAR_ABOVE_LIMIT: Final = 2
"""Values above this multiple of their lower limit are not compared: there was more than enough."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of latencies that is compared: by how much it may change, and how many values it needs."""

    name: str
    field: str
    share: float
    at_least_us: float
    min_count: int


QUANTILES: Final = (Quantile("p50", "p50_us", 0.20, 50.0, 20), Quantile("p99", "p99_us", 0.50, 500.0, 500))


def rule() -> str:
    """Describe in a few sentences what counts as better or worse."""
    latencies = " or ".join(
        f"its {each.name} changed by more than {each.share:.0%} and {duration_us(each.at_least_us)}"
        for each in QUANTILES
    )
    return (
        "Compared are verdicts, values that have a limit, and latencies. A value counts as changed if it moved by more than "
        f"{_VALUE_SHARE:.0%} of the old value and {_LIMIT_SHARE:.0%} of its limit, or by more than {_DISTANCE_SHARE:.0%} of "
        f"its distance to the limit; values above {_FAR_ABOVE_LIMIT} times a lower limit never count. A latency counts as changed "
        f"if {latencies}, after subtracting the change of the latency floor. Latencies of few values are not compared, nor "
        "are times if the computer was busy in either run."
    )


def has_value_changed(old: float, new: float, limit: Limit) -> bool:
    """Return whether ``new`` differs from ``old`` by more than chance; both are judged by ``limit``."""
    if limit.at_most is None and limit.at_least is not None and min(old, new) >= _FAR_ABOVE_LIMIT * limit.at_least > 0:
        return False
    step = abs(new - old)
    ends = [abs(end) for end in (limit.at_least, limit.at_most) if end is not None]
    by_value = step > _VALUE_SHARE * abs(old) and step > _LIMIT_SHARE * max(ends, default=0.0)
    before, now = distance(old, limit), distance(new, limit)
    by_distance = before > 0 and abs(now - before) > _DISTANCE_SHARE * before
    return now != before and (by_value or by_distance)


def distance(value: float, limit: Limit) -> float:
    """Return the distance to the nearer end of the limit; negative beyond it."""
    low = math.inf if limit.at_least is None else value - limit.at_least
    high = math.inf if limit.at_most is None else limit.at_most - value
    return min(low, high)


def difference(old: float, new: float) -> str:
    """Return by how much a value changed, as text: in percent, or as a number if it was 0."""
    if old == 0:
        return f"{new - old:+.3g}"
    return f"{(new - old) / abs(old):+.0%}"


def quantile_change_us(old: Latency | None, new: Latency | None, quantile: Quantile) -> float:
    """Return the change of a quantile in microseconds; 0 if there are too few values."""
    if old is None or new is None or min(old.count, new.count) < quantile.min_count:
        return 0.0
    before, now = getattr(old, quantile.field), getattr(new, quantile.field)
    return 0.0 if before is None or now is None else float(now - before)


def has_quantile_changed(
    old: Latency, new: Latency, quantile: Quantile, *, floor_us: float, uncertainty_us: float
) -> bool:
    """Return whether ``quantile`` changed, after subtracting ``floor_us``, the change of the floor, and the uncertainty."""
    step_us = quantile_change_us(old, new, quantile)
    if step_us == 0.0:
        return False
    explained_us = max(0.0, floor_us * math.copysign(1, step_us)) + uncertainty_us
    before_us = float(getattr(old, quantile.field))
    return abs(step_us) - explained_us > max(quantile.share * before_us, quantile.at_least_us)

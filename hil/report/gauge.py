"""Gauges: small charts of a value on a scale, with its allowed and marginal ranges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from hil.limits import Limit
from hil.record import Measurement
from hil.report.formatting import number, with_unit

_SCALE_BEYOND_LIMIT: Final = 0.5
"""How far the scale extends beyond a limit, as a fraction of it; a value further out is drawn as an arrow."""
_SCALE_BELOW_ZERO: Final = 0.1
"""How far the scale of a count extends below zero."""
_MULTIPLE: Final = 2
"""From this many times the limit on, the margin is given as a multiple."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range on the scale, in percent of its width."""

    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Gauge:
    """Positions in percent of the width. ``value`` is ``None`` if unset."""

    allowed: Span
    marginal: tuple[Span, ...]
    ends: tuple[float, ...]
    value: float | None
    beyond: str
    """``low`` or ``high`` if the value is off the scale, else empty."""
    margin: str
    """How far the value is from its limit, as text."""


def gauge(measurement: Measurement) -> Gauge | None:
    """Return the gauge of a measurement; ``None`` if it has no limit."""
    limit = measurement.limit
    if limit is None:
        return None
    low, high = _scale(limit, measurement.value)
    if not 0 < high - low < math.inf:  # limits near the ends of the range of a float
        low, high = -1.0, 1.0

    def percent(value: float) -> float:
        return round(100 * min(1.0, max(0.0, (value - low) / (high - low))), 2)

    def span(start: float, end: float) -> Span:
        return Span(percent(start), round(max(0.0, percent(end) - percent(start)), 2))

    at_least = low if limit.at_least is None else limit.at_least
    at_most = high if limit.at_most is None else limit.at_most
    marginal = []
    if limit.marginal and limit.at_least is not None:
        marginal.append(span(at_least, min(at_least + limit.marginal, at_most)))
    if limit.marginal and limit.at_most is not None:
        marginal.append(span(max(at_most - limit.marginal, at_least), at_most))
    value = measurement.value
    is_set = value is not None and not math.isnan(value)
    return Gauge(
        allowed=span(at_least, at_most),
        marginal=tuple(marginal),
        ends=tuple(percent(end) for end in (limit.at_least, limit.at_most) if end is not None),
        value=percent(value) if is_set and value is not None else None,
        beyond="" if not is_set or value is None or low <= value <= high else "low" if value < low else "high",
        margin=_margin(limit, value, measurement.unit),
    )


def _scale(limit: Limit, value: float | None) -> tuple[float, float]:
    low, high = limit.at_least, limit.at_most
    if low is None and high is None:
        return 0.0, 1.0
    if low is None or high is None:
        end = high if low is None else low
        assert end is not None
        if end == 0:
            counted = high is not None and not (value is not None and value < 0)  # a count cannot be negative
            return (-_SCALE_BELOW_ZERO if counted else -1.0), 1.0
        return (0.0, end * (1 + _SCALE_BEYOND_LIMIT)) if end > 0 else (end * (1 + _SCALE_BEYOND_LIMIT), 0.0)
    around = _SCALE_BEYOND_LIMIT * ((high - low) or abs(high) or 1.0)
    return low - around, high + around


def _margin(limit: Limit, value: float | None, unit: str) -> str:
    if value is None or not math.isfinite(value):
        return ""
    below = math.inf if limit.at_least is None else value - limit.at_least
    above = math.inf if limit.at_most is None else limit.at_most - value
    if limit.at_least is None and limit.at_most is not None and limit.at_most > 0 <= value:
        return _share_of_limit(value, limit.at_most, unit)
    margin = min(below, above)
    if math.isinf(margin) or margin == 0:
        return ""
    if margin < 0:
        return f"{with_unit(number(-margin, digits=3), unit)} {'above' if above < 0 else 'below'} the limit"
    return f"{with_unit(number(margin, digits=3), unit)} within the limit"


def _share_of_limit(value: float, at_most: float, unit: str) -> str:
    share = value / at_most
    if share >= _MULTIPLE:
        return f"{number(share, digits=2)} times the limit"
    if share > 1:
        return f"{with_unit(number(value - at_most, digits=3), unit)} above the limit"
    return f"{'less than 1' if 0 < share < 0.01 else f'{share:.0%}'.rstrip('%')}% of the limit"  # noqa: PLR2004

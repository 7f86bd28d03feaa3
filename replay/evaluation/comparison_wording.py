"""Describe a comparison of two models as its user would notice it."""

from __future__ import annotations

import math
from typing import Final

from replay.evaluation.block_bootstrap import Estimate
from replay.evaluation.comparison import Comparison

_SURE: Final = 0.999
"""A bootstrap cannot show a higher probability than this."""


def felt_text(comparison: Comparison) -> str:
    """Return text such as ``of 100 shots, 4.1 more in time (1.0 to 7.2); 0.30 fewer false spin-ups a minute (0.1 to 0.5)``.

    The share of the time with wheels on follows.
    """
    duty = comparison.duty
    in_percent = Estimate(100 * duty.value, 100 * duty.low, 100 * duty.high)
    return "; ".join(
        [
            f"of 100 shots, {change_text(comparison.in_time, 'more', 'fewer', '.1f', after=' in time')}",
            change_text(comparison.false_per_minute, "more", "fewer", ".2f", after=" false spin-ups a minute"),
            f"wheels on {change_text(in_percent, 'more', 'less', '.1f', unit=' %', after=' of the time')}",
        ]
    )


def cost_text(comparison: Comparison) -> str:
    """Return text such as ``0.31 less a minute (0.10 to 0.52)``."""
    return change_text(comparison.cost, "more", "less", ".2f", after=" a minute")


def probability_text(comparison: Comparison) -> str:
    """Return text such as ``better with a probability of 97 %``."""
    p = comparison.probability
    if math.isnan(p):
        return f"{comparison.count} {comparison.units} are too few to say which is better"
    if p > _SURE:
        return "better with a probability above 99.9 %"
    if p < 1 - _SURE:
        return "better with a probability below 0.1 %"
    return f"better with a probability of {100 * p:.3g} %"


def change_text(change: Estimate, more: str, fewer: str, digits: str, *, unit: str = "", after: str = "") -> str:
    """Return a change with its interval, such as ``1.3 more in time (0.4 fewer to 3.0 more)``.

    >>> change_text(Estimate(1.3, -0.4, 3.0), "more", "fewer", ".1f", after=" in time")
    '1.3 more in time (0.4 fewer to 3.0 more)'
    >>> change_text(Estimate(-1.3, -3.0, -0.4), "more", "fewer", ".1f", unit=" %")
    '1.3 % fewer (0.4 % to 3.0 %)'
    """

    def size(value: float) -> str:
        return "any number" if math.isinf(value) else f"{abs(value):{digits}}{unit}"

    def word(value: float) -> str:
        return more if value >= 0 else fewer

    if math.isnan(change.value):
        return f"no figure{after}"
    text = f"{size(change.value)} {word(change.value)}{after}"
    if math.isinf(change.low):
        return text
    if change.low < 0 < change.high:
        return f"{text} ({size(change.low)} {fewer} to {size(change.high)} {more})"
    near, far = sorted((change.low, change.high), key=abs)
    return f"{text} ({size(near)} to {size(far)})"

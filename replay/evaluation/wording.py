"""Format numbers for reports."""

from __future__ import annotations

import math

from replay.evaluation.intervals import Rate, Ratio


def ratio_text(ratio: Ratio) -> str:
    """Return text such as ``9 of 10, 90 % (60 to 98 %)``."""
    interval = f"({100 * ratio.low:.0f} to {percent_text(ratio.high)})"
    return f"{ratio.count} of {ratio.total}, {percent_text(ratio.value)} {interval}"


def rate_text(rate: Rate) -> str:
    """Return text such as ``3 in 10.00 min, 0.30 a minute (0.06 to 0.88)``."""
    times = f"{rate.count} in {rate.minutes:.2f} min"
    return f"{times}, {number_text(rate.value)} a minute ({number_text(rate.low)} to {number_text(rate.high)})"


def percent_text(part: float) -> str:
    """Return text such as ``41 %``; a dash for NaN."""
    return "-" if math.isnan(part) else f"{100 * part:.0f} %"


def number_text(value: float) -> str:
    """Return ``value`` with two decimals; a dash for NaN, ``any`` for infinity."""
    if math.isnan(value):
        return "-"
    return "any" if math.isinf(value) else f"{value:.2f}"

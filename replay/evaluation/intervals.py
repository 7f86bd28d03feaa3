"""Confidence intervals for a ratio and for a rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

CONFIDENCE: Final = 0.95
_Z: Final = 1.959963984540054
"""The normal quantile at 0.975."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """``count`` of ``total``, with the 95 % interval ``low`` to ``high``. ``value`` is NaN if ``total`` is 0."""

    count: int
    total: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rate:
    """``count`` events in ``minutes``: ``value`` per minute, with the 95 % interval ``low`` to ``high``."""

    count: int
    minutes: float
    value: float
    low: float
    high: float


def wilson(count: int, total: int) -> Ratio:
    """Return the ratio ``count / total`` with Wilson's interval; 0 to 1 if ``total`` is 0.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).

    >>> ratio = wilson(9, 10)
    >>> round(ratio.low, 2), round(ratio.high, 2)
    (0.6, 0.98)
    """
    if total == 0:
        return Ratio(0, 0, math.nan, 0.0, 1.0)
    share = count / total
    scale = 1 + _Z**2 / total
    centre = (share + _Z**2 / (2 * total)) / scale
    half = _Z / scale * math.sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    # At 0 and at 1 the interval ends exactly there; rounding could miss it.
    low = 0.0 if count == 0 else min(centre - half, share)
    high = 1.0 if count == total else max(centre + half, share)
    return Ratio(count, total, share, low, high)


def poisson(count: int, minutes: float) -> Rate:
    """Return the rate ``count / minutes`` with the exact interval; NaN and 0 to infinity for no time.

    For a count of 0 the interval is one-sided: the rate is below ``3 / minutes`` ("rule of three"). Otherwise the
    limits are quantiles of the gamma distribution: F. Garwood, Fiducial limits for the Poisson distribution, Biometrika
    28 (1936).
    """
    if minutes <= 0:
        return Rate(count, 0.0, math.nan, 0.0, math.inf)
    beyond = 1 - CONFIDENCE
    if count == 0:
        return Rate(0, minutes, 0.0, 0.0, -math.log(beyond) / minutes)
    from scipy.special import gammaincinv  # noqa: PLC0415 - a fifth of a second, which the page's start need not spend

    low = float(gammaincinv(count, beyond / 2)) / minutes
    high = float(gammaincinv(count + 1, 1 - beyond / 2)) / minutes
    return Rate(count, minutes, count / minutes, low, high)


def median_interval(values: npt.NDArray[np.floating]) -> tuple[float, float]:
    """Return the 95 % interval of the median of ``values`` ``(n,)``, at least one: two of the sorted values.

    The number of values below the median is binomial. Below six values, the interval is from the smallest to the
    largest, and less certain.

    >>> median_interval(np.arange(1.0, 11.0))
    (2.0, 9.0)
    """
    from scipy.special import bdtr  # noqa: PLC0415 - see above

    ordered = np.sort(values)
    count = ordered.size
    at_most = bdtr(np.arange(count), count, 0.5)
    rank = int(np.count_nonzero(at_most <= (1 - CONFIDENCE) / 2))  # values below this rank are left out on both sides
    rank = max(rank, 1)
    return float(ordered[rank - 1]), float(ordered[count - rank])

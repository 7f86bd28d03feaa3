"""Formats numbers, limits and verdicts as text, the same in every report."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from hil.limits import Limit, Verdict
from hil.record import Measurement, RunRecord, ScenarioRecord
from stinger.wording import counted

VERDICT_WORDS: Final = {
    Verdict.SKIPPED: "skipped",
    Verdict.PASS: "passed",
    Verdict.MARGINAL: "marginal",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.UNSET: "unset",
    Verdict.FAIL: "failed",
}

_DIGITS: Final = 4
_MAX_DIGITS: Final = 17
"""Enough to distinguish any two floats."""
_LARGEST_PLAIN: Final = 1e15
_SMALLEST_PLAIN: Final = 1e-5
_US_PER_MS: Final = 1e3
_US_PER_S: Final = 1e6
_ROUNDS_UP: Final = 0.9995
"""From this fraction of a unit on, three digits in the smaller unit would round to 1,000."""
_INSTANT_S: Final = 0.005
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600


def number(value: float, *, unlike: Iterable[float] = (), digits: int = _DIGITS) -> str:
    """Return ``value`` with ``digits`` significant digits.

    More digits are shown if they are needed to distinguish it from the values ``unlike``.
    """
    others = [other for other in unlike if other != value]
    for digits_tried in range(digits, _MAX_DIGITS):
        text = _rounded(value, digits_tried)
        if all(_rounded(other, digits_tried) != text for other in others):
            return text
    return _rounded(value, _MAX_DIGITS)


def with_unit(text: str, unit: str) -> str:
    """Return ``text`` followed by its unit, if it has one."""
    return f"{text} {unit}" if unit else text


def format_value(measurement: Measurement) -> str:
    """Return the value with its unit, in as many digits as distinguish it from its limit; ``unset`` without a value."""
    if measurement.value is None:
        return VERDICT_WORDS[Verdict.UNSET]
    return with_unit(number(measurement.value, unlike=_ends(measurement.limit)), measurement.unit)


def format_limit(limit: Limit, unit: str = "") -> str:
    """Return a limit as text, such as ``at most 20 ms``; without ``unit`` where the value beside it has one."""
    low, high = limit.at_least, limit.at_most
    if low is not None and high is not None:
        return with_unit(f"exactly {number(low)}" if low == high else f"{number(low)} to {number(high)}", unit)
    if high is not None:
        return with_unit(f"at most {number(high)}", unit)
    return "any value" if low is None else with_unit(f"at least {number(low)}", unit)


def duration_us(value_us: float | None, *, micro: str = "µ") -> str:
    """Return a short time in a suitable unit: ``950 µs``, ``1.84 ms``, ``2.3 s``."""
    if value_us is None or not math.isfinite(value_us):
        return "unknown"
    for scale, unit in ((_US_PER_S, "s"), (_US_PER_MS, "ms")):
        if abs(value_us) >= _ROUNDS_UP * scale:
            return f"{_rounded(value_us / scale, 3)} {unit}"
    return f"{_rounded(value_us, 3)} {micro}s"


def duration_s(seconds: float) -> str:
    """Return a long time: ``9.8 s``, ``2 min 31 s``, ``1 h 5 min``."""
    if not math.isfinite(seconds):
        return "unknown"
    if abs(seconds) < _INSTANT_S:
        return "0 s"
    if seconds < _MINUTE_S:
        return f"{_rounded(seconds, 2 if seconds < 10 else 3)} s"  # noqa: PLR2004 - 9.8 but 10
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"


def finding(measurement: Measurement) -> str:
    """Return a measurement that has a limit as one line: its value, the limit and the note."""
    assert measurement.limit is not None
    value = f"{measurement.name}: {format_value(measurement)}"
    limit = format_limit(measurement.limit)
    note = f" ({measurement.note})" if measurement.note else ""
    match measurement.verdict:
        case Verdict.UNSET:
            return f"{value}, limit {format_limit(measurement.limit, measurement.unit)}{note}"
        case Verdict.FAIL:
            return f"{value}, limit missed: {limit}{note}"
        case Verdict.MARGINAL:
            return f"{value}, close to its limit: {limit}{note}"
        case _:
            return f"{value}, limit {limit}{note}"


def reasons(scenario: ScenarioRecord) -> list[str]:
    """Return the reasons for a scenario's verdict.

    First that in its record, then its measurements that did not pass, worst first.
    """
    not_passed = [each for each in scenario.measurements if each.verdict not in (None, Verdict.PASS)]
    not_passed.sort(key=lambda each: -(each.verdict or Verdict.PASS).rank)
    return [*([scenario.why] if scenario.why else []), *(finding(each) for each in not_passed)]


def tally(record: RunRecord) -> list[tuple[Verdict, int]]:
    """Return the number of scenarios by verdict, worst first, without zeros."""
    counts = Counter(scenario.verdict for scenario in record.scenarios)
    return [(verdict, counts[verdict]) for verdict in reversed(Verdict) if counts[verdict]]


def headline(record: RunRecord) -> str:
    """Return the verdict of a run as one sentence, without its full stop."""
    total = len(record.scenarios)
    counts = dict(tally(record))
    bad = ", ".join(f"{amount} {VERDICT_WORDS[verdict]}" for verdict, amount in counts.items() if not verdict.good)
    if not record.verdict.good:
        start = "The run is inconclusive" if record.verdict is Verdict.INCONCLUSIVE else "The run failed"
        return f"{start}: of {counted(total, 'scenario')}, {bad}" if bad else start
    if total == 0:
        return "No scenario was run"
    skipped, marginal = counts.get(Verdict.SKIPPED, 0), counts.get(Verdict.MARGINAL, 0)
    if skipped == total:
        return f"Nothing was tested: {counted(total, 'scenario')} skipped"
    passed = f"The run passed: {counted(total - skipped, 'scenario')}"
    passed += f", {marginal} of them marginal" if marginal else ""
    return f"{passed}, {skipped} skipped" if skipped else passed


def _ends(limit: Limit | None) -> list[float]:
    return [] if limit is None else [end for end in (limit.at_least, limit.at_most) if end is not None]


def _rounded(value: float, digits: int) -> str:
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else f"{'-' if value < 0 else ''}infinite"
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < _LARGEST_PLAIN:
        return f"{int(value):,}"
    if _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        text = f"{value:,.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return re.sub(r"e([+-])0*", lambda sign: f"e{sign[1].replace('+', '')}", f"{value:.{digits}g}")

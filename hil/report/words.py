"""Numbers, limits and verdicts in the words that every report uses."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from hil.limits import Limit, Verdict
from hil.record import Measurement, RunRecord, ScenarioRecord

VERDICT_WORDS: Final = {
    Verdict.SKIPPED: "skipped",
    Verdict.PASS: "passed",
    Verdict.MARGINAL: "close to a limit",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.UNSET: "not measured",
    Verdict.FAIL: "failed",
}

_DIGITS: Final = 4
_MOST_DIGITS: Final = 17
"""So many tell any two floats apart."""
_LARGEST_PLAIN: Final = 1e15
_SMALLEST_PLAIN: Final = 1e-5
_US_PER_MS: Final = 1e3
_US_PER_S: Final = 1e6
_ROUNDS_UP: Final = 0.9995
"""From here on three digits would read 1,000 of the smaller unit."""
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600


def number(value: float, *, unlike: Iterable[float] = ()) -> str:
    """``value`` with four significant digits, or as many as it takes to differ from what is ``unlike`` it."""
    others = [other for other in unlike if other != value]
    for digits in range(_DIGITS, _MOST_DIGITS):
        text = _rounded(value, digits)
        if all(_rounded(other, digits) != text for other in others):
            return text
    return _rounded(value, _MOST_DIGITS)


def with_unit(text: str, unit: str) -> str:
    """``text`` and its unit, if there is one."""
    return f"{text} {unit}" if unit else text


def value_words(measurement: Measurement) -> str:
    """The value with its unit, in as many digits as its limit needs."""
    if measurement.value is None:
        return "unknown"
    return with_unit(number(measurement.value, unlike=_ends(measurement.limit)), measurement.unit)


def limit_words(limit: Limit, unit: str) -> str:
    """Such as ``at most 20 ms``."""
    low, high = limit.at_least, limit.at_most
    if low is not None and high is not None:
        return with_unit(f"exactly {number(low)}" if low == high else f"{number(low)} to {number(high)}", unit)
    if high is not None:
        return with_unit(f"at most {number(high)}", unit)
    return "any value" if low is None else with_unit(f"at least {number(low)}", unit)


def duration_us(value_us: float | None, *, micro: str = "µ") -> str:
    """A short time, in the unit that suits it: ``950 µs``, ``1.84 ms``, ``2.3 s``."""
    if value_us is None or not math.isfinite(value_us):
        return "unknown"
    for scale, unit in ((_US_PER_S, "s"), (_US_PER_MS, "ms")):
        if abs(value_us) >= _ROUNDS_UP * scale:
            return f"{_rounded(value_us / scale, 3)} {unit}"
    return f"{_rounded(value_us, 3)} {micro}s"


def duration_s(seconds: float) -> str:
    """A long time: ``9.8 s``, ``2 min 31 s``, ``1 h 5 min``."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < _MINUTE_S:
        return f"{_rounded(seconds, 2 if seconds < 10 else 3)} s"  # noqa: PLR2004 - 9.8 but 10
    whole = round(seconds)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"


def count(amount: int, noun: str) -> str:
    """``1 scenario``, ``2 scenarios``."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def finding(measurement: Measurement) -> str:
    """What is to be said of a measurement that has a limit, in a phrase."""
    assert measurement.limit is not None
    allowed = limit_words(measurement.limit, measurement.unit)
    note = f" ({measurement.note})" if measurement.note else ""
    match measurement.verdict:
        case Verdict.UNSET:
            return f"{measurement.name}: could not be measured{note}; it must be {allowed}"
        case Verdict.FAIL:
            return f"{measurement.name}: {value_words(measurement)}, must be {allowed}{note}"
        case Verdict.MARGINAL:
            return f"{measurement.name}: {value_words(measurement)}, close to the limit of {allowed}{note}"
        case _:
            return f"{measurement.name}: {value_words(measurement)}, within the limit of {allowed}{note}"


def reasons(scenario: ScenarioRecord) -> list[str]:
    """Why the scenario came out as it did: what its record says, then its measurements that are not good, worst first."""
    told = [each for each in scenario.measurements if each.verdict not in (None, Verdict.PASS)]
    told.sort(key=lambda each: -(each.verdict or Verdict.PASS).rank)
    return [*([scenario.why] if scenario.why else []), *(finding(each) for each in told)]


def tally(record: RunRecord) -> list[tuple[Verdict, int]]:
    """How many scenarios came out how, worst first, without those that none did."""
    counts = Counter(scenario.verdict for scenario in record.scenarios)
    return [(verdict, counts[verdict]) for verdict in reversed(Verdict) if counts[verdict]]


def headline(record: RunRecord) -> str:
    """The verdict of a run in one sentence, without its full stop."""
    total = len(record.scenarios)
    counts = dict(tally(record))
    bad = [f"{number_} {VERDICT_WORDS[verdict]}" for verdict, number_ in counts.items() if not verdict.good]
    of_all = f"of {count(total, 'scenario')}"
    if bad or not record.verdict.good:
        first = {
            Verdict.INCONCLUSIVE: "The run says nothing certain",
            Verdict.UNSET: "The run failed for want of measurements",
        }.get(record.verdict, "The run failed")
        return f"{first}: {of_all}, {' and '.join(bad)}" if bad else first
    skipped = counts.get(Verdict.SKIPPED, 0)
    if skipped == total:
        return "No scenario was run" if total == 0 else f"Nothing was tested: all {of_all[3:]} were skipped"
    passed = f"The run passed: {'all ' if not skipped else ''}{count(total - skipped, 'scenario')} good"
    marginal = counts.get(Verdict.MARGINAL, 0)
    passed += f", {marginal} of them close to a limit" if marginal else ""
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

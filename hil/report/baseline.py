"""Compares a run with an older one, the baseline: what got worse, what got better, what cannot be compared.

:mod:`hil.report.change_rule` has the rule of what counts as a change. A value got worse if it moved closer to its
limit, or further beyond.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from hil.limits import Verdict
from hil.measuring.definitions import MEASUREMENTS
from hil.measuring.verdict import BUSY_HOST_MS
from hil.record import Latency, Measurement, RunRecord, ScenarioRecord
from hil.report.change_rule import (
    QUANTILES,
    Quantile,
    difference,
    distance,
    has_quantile_changed,
    has_value_changed,
    quantile_change_us,
)
from hil.report.environment import VOLATILE
from hil.report.formatting import VERDICT_WORDS, duration_s, duration_us, format_value, number
from stinger.wording import counted

_DURATION_SHARE: Final = 0.2
"""Durations of a scenario that differ by more than this are listed as different conditions."""
_WAKEUP_DELAY: Final = "host_late_p99_ms"


@dataclass(frozen=True, slots=True)
class Change:
    """A change, as text: ``measure`` of ``scenario`` was ``before`` and is ``now``."""

    scenario: str
    measure: str
    before: str
    now: str
    why: str
    """By how much it changed, or how its verdict changed."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run compared with ``old``. ``missing`` was measured only then, ``new`` is measured only now."""

    name: str
    """The name of the older record, such as its file name."""
    old: RunRecord
    conditions: Sequence[Change] = ()
    """Different conditions of the runs: machine, commit, device, latency floor. Their scenario may be empty."""
    worse: Sequence[Change] = ()
    better: Sequence[Change] = ()
    missing: Sequence[str] = ()
    new: Sequence[str] = ()
    compared: int = 0
    """How many verdicts, values and latencies were compared."""


def compare(old: RunRecord, new: RunRecord, *, name: str) -> Comparison:
    """Compare ``new`` with ``old``, whose name is ``name``. Scenarios, measurements and stages are matched by name."""
    found = _Found()
    before, after = _named(old.scenarios), _named(new.scenarios)
    for key, scenario in after.items():
        earlier = before.get(key)
        if earlier is None or (earlier.verdict is Verdict.SKIPPED and scenario.verdict is not Verdict.SKIPPED):
            found.new.append(key if earlier is None else f"{key} (was skipped)")
        elif scenario.verdict is Verdict.SKIPPED and earlier.verdict is not Verdict.SKIPPED:
            found.missing.append(f"{key} (now skipped{f': {scenario.why}' if scenario.why else ''})")
        else:
            _compare_scenario(key, earlier, scenario, found)
    found.missing += [key for key in before if key not in after]
    return Comparison(
        name=name,
        old=old,
        conditions=[*_environment(old, new), *_merged(found.scenario_conditions), *found.conditions],
        worse=found.worse,
        better=found.better,
        missing=found.missing,
        new=found.new,
        compared=found.compared,
    )


@dataclass(slots=True)
class _Found:
    worse: list[Change] = field(default_factory=list)
    better: list[Change] = field(default_factory=list)
    conditions: list[Change] = field(default_factory=list)
    scenario_conditions: list[Change] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    compared: int = 0

    def add(self, change: Change, *, worse: bool) -> None:
        (self.worse if worse else self.better).append(change)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_N = TypeVar("_N", bound=_Named)


def _named(items: Iterable[_N]) -> dict[str, _N]:
    """Return ``items`` by name; a second one of a name becomes ``name (2)``."""
    found: dict[str, _N] = {}
    for item in items:
        key, times = item.name, 1
        while key in found:
            times += 1
            key = f"{item.name} ({times})"
        found[key] = item
    return found


def _compare_scenario(name: str, old: ScenarioRecord, new: ScenarioRecord, found: _Found) -> None:
    found.scenario_conditions += _scenario_conditions(name, old, new)
    found.compared += 1
    late_ms = max(_wakeup_delay_ms(old), _wakeup_delay_ms(new))
    if late_ms > BUSY_HOST_MS:
        found.conditions.append(_busy(name, old, new))
    if old.verdict is not new.verdict:
        found.add(
            Change(name, "verdict", VERDICT_WORDS[old.verdict], VERDICT_WORDS[new.verdict], new.why),
            worse=new.verdict.rank > old.verdict.rank,
        )
    before, after = _named(old.measurements), _named(new.measurements)
    found.missing += [f"{name}: {key}" for key in before if key not in after]
    found.new += [f"{name}: {key}" for key in after if key not in before]
    for key in after:
        if key in before and not (late_ms > BUSY_HOST_MS and _is_time(after[key])):
            _compare_values(name, key, before[key], after[key], found)
    _compare_latencies(name, old.latencies, new.latencies, found, busy=late_ms > BUSY_HOST_MS)


def _wakeup_delay_ms(scenario: ScenarioRecord) -> float:
    """Return how late the computer woke sleeping processes during the scenario; 0 if not in the record."""
    found = (each.value for each in scenario.measurements if each.name == _WAKEUP_DELAY)
    return next(found, None) or 0.0


def _busy(name: str, old: ScenarioRecord, new: ScenarioRecord) -> Change:
    before, now = (f"{number(_wakeup_delay_ms(each), digits=2)} ms late" for each in (old, new))
    return Change(name, "computer busy: times not compared", before, now, "")


def _is_time(measurement: Measurement) -> bool:
    kind = MEASUREMENTS.get(measurement.name)
    return kind is not None and kind.timing


def _compare_values(scenario: str, name: str, old: Measurement, new: Measurement, found: _Found) -> None:
    if new.limit is None or new.unit != old.unit:
        return
    found.compared += 1
    # Both are judged by the limit of the new run, so that a changed limit does not count as a change of the value.
    before, now = new.limit.judge(old.value), new.limit.judge(new.value)
    if before is not now:
        why = f"{VERDICT_WORDS[before]}, now {VERDICT_WORDS[now]}"
        found.add(Change(scenario, name, format_value(old), format_value(new), why), worse=now.rank > before.rank)
    elif old.value is not None and new.value is not None and has_value_changed(old.value, new.value, new.limit):
        worse = distance(new.value, new.limit) < distance(old.value, new.limit)
        found.add(
            Change(scenario, name, format_value(old), format_value(new), difference(old.value, new.value)),
            worse=worse,
        )


def _compare_latencies(
    scenario: str, old: Sequence[Latency], new: Sequence[Latency], found: _Found, *, busy: bool
) -> None:
    before = {(each.stage, each.floor): each for each in old}
    after = {(each.stage, each.floor): each for each in new}
    found.missing += [
        f"{scenario}: latency {stage}" for stage, floor in before if not floor and (stage, floor) not in after
    ]
    found.new += [
        f"{scenario}: latency {stage}" for stage, floor in after if not floor and (stage, floor) not in before
    ]
    for key, latency in after.items():
        if busy or key not in before:
            continue
        stage, floor = key
        uncertainty_us = (before[key].uncertainty_us or 0.0) + (latency.uncertainty_us or 0.0)
        for quantile in QUANTILES:
            floor_us = (
                0.0 if floor else quantile_change_us(before.get((stage, True)), after.get((stage, True)), quantile)
            )
            found.compared += not floor
            if not has_quantile_changed(
                before[key], latency, quantile, floor_us=floor_us, uncertainty_us=uncertainty_us
            ):
                continue
            change = _latency_change(scenario, before[key], latency, quantile)
            if floor:
                found.conditions.append(change)
            else:
                found.add(change, worse=quantile_change_us(before[key], latency, quantile) > 0)


def _latency_change(scenario: str, old: Latency, new: Latency, quantile: Quantile) -> Change:
    before_us, now_us = getattr(old, quantile.field), getattr(new, quantile.field)
    what = f"{'latency floor' if new.floor else 'latency'} {new.stage}, {quantile.name}"
    why = difference(before_us, now_us) if before_us else ""
    return Change(scenario, what, duration_us(before_us), duration_us(now_us), why)


def _environment(old: RunRecord, new: RunRecord) -> Iterator[Change]:
    for key in dict.fromkeys([*old.environment, *new.environment]):
        before, now = old.environment.get(key), new.environment.get(key)
        if before != now and key not in VOLATILE:
            yield Change("", key, _known(before), _known(now), "")


def _known(value: str | float | None) -> str:
    if value is None:
        return "unknown"
    return value if isinstance(value, str) else number(value)


def _scenario_conditions(name: str, old: ScenarioRecord, new: ScenarioRecord) -> Iterator[Change]:
    if old.dut != new.dut:
        yield Change(name, "device under test", old.dut, new.dut, "")
    if old.seed != new.seed:
        yield Change(name, "seed", str(old.seed), str(new.seed), "")
    if abs(new.duration_s - old.duration_s) > _DURATION_SHARE * max(old.duration_s, new.duration_s):
        yield Change(name, "duration", duration_s(old.duration_s), duration_s(new.duration_s), "")


def _merged(changes: Sequence[Change]) -> Iterator[Change]:
    """Merge equal changes of several scenarios into one."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for each in changes:
        groups.setdefault((each.measure, each.before, each.now), []).append(each.scenario)
    for (measure, before, now), scenarios in groups.items():
        scenario = scenarios[0] if len(scenarios) == 1 else f"in {counted(len(scenarios), 'scenario')}"
        yield Change(scenario, measure, before, now, "")

"""A run beside an older one: what got worse, what got better, what cannot be compared.

What counts as a change is stated by :func:`rule`, for reports to show. Whether a value got worse is told by its limit:
worse is nearer to it, or further beyond.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from hil.limits import Limit, Verdict
from hil.measuring.definitions import MEASUREMENTS
from hil.measuring.verdict import NOISY_MS
from hil.record import Latency, Measurement, RunRecord, ScenarioRecord
from hil.report.environment import VOLATILE
from hil.report.formatting import VERDICT_WORDS, count, duration_s, duration_us, number, value_words

_VALUE_PART: Final = 0.10
_LIMIT_PART: Final = 0.01
_ROOM_PART: Final = 0.25
_PLENTY: Final = 2
"""So many times the least that it must be, a value says only that there was enough of something."""
_DURATION_PART: Final = 0.2
_LATENESS: Final = "host_late_p99_ms"


@dataclass(frozen=True, slots=True)
class _Quantile:
    """A quantile of a latency that is compared: what it may move by, and how many values it takes to know it."""

    name: str
    field: str
    part: float
    at_least_us: float
    fewest: int


_QUANTILES: Final = (_Quantile("p50", "p50_us", 0.20, 50.0, 20), _Quantile("p99", "p99_us", 0.50, 500.0, 500))


@dataclass(frozen=True, slots=True)
class Change:
    """What moved, in words: ``measure`` of ``scenario`` was ``before`` and is ``now``."""

    scenario: str
    measure: str
    before: str
    now: str
    why: str
    """How much it moved, or what its verdict became."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run beside ``old``. ``missing`` was measured then and is not now, ``new`` is measured only now."""

    name: str
    """What the older record is called, such as its file's name."""
    old: RunRecord
    surroundings: Sequence[Change] = ()
    """What was different around the runs: machine, commit, device, the bench's own floor. Their scenario may be empty."""
    worse: Sequence[Change] = ()
    better: Sequence[Change] = ()
    missing: Sequence[str] = ()
    new: Sequence[str] = ()
    compared: int = 0
    """So many verdicts, values and latencies were there in both."""


def rule() -> str:
    """What counts as better or worse, in a sentence or two."""
    latencies = " and ".join(
        f"{each.name} if it moved by more than {each.part:.0%} and {duration_us(each.at_least_us)}"
        for each in _QUANTILES
    )
    return (
        "A verdict counts if it changed. A value counts if it moved by more than "
        f"{_VALUE_PART:.0%} of what it was (and {_LIMIT_PART:.0%} of its limit), or used up or won more than "
        f"{_ROOM_PART:.0%} of the room to its limit; not if it is {_PLENTY} times the least it must be. Of a latency counts "
        f"{latencies}, beyond what the bench's own floor moved; one of too few values is not compared. Times are not "
        "compared where the computer was busy in either run."
    )


def compare(old: RunRecord, new: RunRecord, *, name: str) -> Comparison:
    """``new`` beside ``old``, which is called ``name``. Scenarios, measurements and stages are matched by their names."""
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
        surroundings=[*_environment(old, new), *_conditions(found.conditions), *found.surroundings],
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
    surroundings: list[Change] = field(default_factory=list)
    conditions: list[Change] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    compared: int = 0

    def add(self, change: Change, *, worse: bool) -> None:
        (self.worse if worse else self.better).append(change)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_N = TypeVar("_N", bound=_Named)


def _named(things: Iterable[_N]) -> dict[str, _N]:
    """By name; a second one of a name is ``name (2)``."""
    found: dict[str, _N] = {}
    for thing in things:
        key, times = thing.name, 1
        while key in found:
            times += 1
            key = f"{thing.name} ({times})"
        found[key] = thing
    return found


def _compare_scenario(name: str, old: ScenarioRecord, new: ScenarioRecord, found: _Found) -> None:
    found.conditions += _scenario_conditions(name, old, new)
    found.compared += 1
    late_ms = max(_lateness_ms(old), _lateness_ms(new))
    if late_ms > NOISY_MS:
        found.surroundings.append(_busy(name, old, new))
    if old.verdict is not new.verdict:
        found.add(
            Change(name, "verdict", VERDICT_WORDS[old.verdict], VERDICT_WORDS[new.verdict], new.why),
            worse=new.verdict.rank > old.verdict.rank,
        )
    before, after = _named(old.measurements), _named(new.measurements)
    found.missing += [f"{name}: {key}" for key in before if key not in after]
    found.new += [f"{name}: {key}" for key in after if key not in before]
    for key in after:
        if key in before and not (late_ms > NOISY_MS and _is_time(after[key])):
            _compare_values(name, key, before[key], after[key], found)
    _compare_latencies(name, old.latencies, new.latencies, found, busy=late_ms > NOISY_MS)


def _lateness_ms(scenario: ScenarioRecord) -> float:
    """How late the computer woke up a sleeping process meanwhile, as far as the record tells."""
    found = (each.value for each in scenario.measurements if each.name == _LATENESS)
    return next(found, None) or 0.0


def _busy(name: str, old: ScenarioRecord, new: ScenarioRecord) -> Change:
    before, now = (f"{number(_lateness_ms(each), digits=2)} ms late" for each in (old, new))
    return Change(name, "the computer was busy: times are not compared", before, now, "")


def _is_time(measurement: Measurement) -> bool:
    kind = MEASUREMENTS.get(measurement.name)
    return kind is not None and kind.timing


def _compare_values(scenario: str, name: str, old: Measurement, new: Measurement, found: _Found) -> None:
    if new.limit is None or new.unit != old.unit:
        return
    found.compared += 1
    was = new.limit.judge(old.value)  # by the limit of today, so that a limit that moved is no change of the value
    now = new.limit.judge(new.value)
    if was is not now:
        why = f"{VERDICT_WORDS[was]}, now {VERDICT_WORDS[now]}"
        found.add(Change(scenario, name, value_words(old), value_words(new), why), worse=now.rank > was.rank)
    elif old.value is not None and new.value is not None and _moved(old.value, new.value, new.limit):
        nearer = _room(new.value, new.limit) < _room(old.value, new.limit)
        found.add(
            Change(scenario, name, value_words(old), value_words(new), _by(old.value, new.value)),
            worse=nearer,
        )


def _moved(old: float, new: float, limit: Limit) -> bool:
    if limit.at_most is None and limit.at_least is not None and min(old, new) >= _PLENTY * limit.at_least > 0:
        return False
    step = abs(new - old)
    ends = [abs(end) for end in (limit.at_least, limit.at_most) if end is not None]
    by_value = step > _VALUE_PART * abs(old) and step > _LIMIT_PART * max(ends, default=0.0)
    room = _room(old, limit)
    by_room = room > 0 and abs(_room(new, limit) - room) > _ROOM_PART * room
    return _room(new, limit) != room and (by_value or by_room)


def _room(value: float, limit: Limit) -> float:
    """How far it is to the nearer end of the limit; beyond it, negative."""
    low = math.inf if limit.at_least is None else value - limit.at_least
    high = math.inf if limit.at_most is None else limit.at_most - value
    return min(low, high)


def _by(old: float, new: float) -> str:
    if old == 0:
        return f"{new - old:+.3g}"
    return f"{(new - old) / abs(old):+.0%}"


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
        unsure_us = (before[key].uncertainty_us or 0.0) + (latency.uncertainty_us or 0.0)
        for quantile in _QUANTILES:
            floor_us = 0.0 if floor else _step(before.get((stage, True)), after.get((stage, True)), quantile)
            change = _latency_change(scenario, before[key], latency, quantile, floor_us=floor_us, unsure_us=unsure_us)
            found.compared += not floor
            if change is None:
                continue
            if floor:
                found.surroundings.append(change)
            else:
                found.add(change, worse=_step(before[key], latency, quantile) > 0)


def _step(old: Latency | None, new: Latency | None, quantile: _Quantile) -> float:
    """By how many microseconds a quantile moved; 0 where it is not known well enough."""
    if old is None or new is None or min(old.count, new.count) < quantile.fewest:
        return 0.0
    before, now = getattr(old, quantile.field), getattr(new, quantile.field)
    return 0.0 if before is None or now is None else float(now - before)


def _latency_change(
    scenario: str, old: Latency, new: Latency, quantile: _Quantile, *, floor_us: float, unsure_us: float
) -> Change | None:
    step_us = _step(old, new, quantile)
    before_us, now_us = getattr(old, quantile.field), getattr(new, quantile.field)
    if step_us == 0.0 or before_us is None or now_us is None:
        return None
    excused_us = max(0.0, floor_us * math.copysign(1, step_us)) + unsure_us
    if abs(step_us) - excused_us <= max(quantile.part * before_us, quantile.at_least_us):
        return None
    what = f"{'floor of the bench, ' if new.floor else 'latency '}{new.stage}, {quantile.name}"
    moved = _by(before_us, now_us) if before_us else ""
    return Change(scenario, what, duration_us(before_us), duration_us(now_us), moved)


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
    if abs(new.duration_s - old.duration_s) > _DURATION_PART * max(old.duration_s, new.duration_s):
        yield Change(name, "duration", duration_s(old.duration_s), duration_s(new.duration_s), "")


def _conditions(changes: Sequence[Change]) -> Iterator[Change]:
    """The same change of several scenarios as one."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for each in changes:
        groups.setdefault((each.measure, each.before, each.now), []).append(each.scenario)
    for (measure, before, now), scenarios in groups.items():
        scenario = scenarios[0] if len(scenarios) == 1 else f"in {count(len(scenarios), 'scenario')}"
        yield Change(scenario, measure, before, now, "")

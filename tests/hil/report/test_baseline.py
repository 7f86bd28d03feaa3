"""Comparison of a run with an older one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.limits import Limit, Verdict
from hil.record import Latency, Measurement, RunRecord, ScenarioRecord
from hil.report.baseline import Comparison, compare
from tests.hil.report.runs import big_run, older_run, run_of


def a_run(
    *measurements: Measurement, verdict: Verdict = Verdict.PASS, name: str = "s", latencies: tuple[Latency, ...] = ()
) -> RunRecord:
    return run_of([ScenarioRecord(name, "t", "emulated", 1, 0.0, 10.0, verdict, "", measurements, latencies)])


def of_values(old: float | None, new: float | None, limit: Limit) -> Comparison:
    return compare(a_run(Measurement("m", "ms", old, limit)), a_run(Measurement("m", "ms", new, limit)), name="old")


def direction(comparison: Comparison) -> str:
    assert not (comparison.worse and comparison.better)
    return "worse" if comparison.worse else "better" if comparison.better else ""


@pytest.mark.parametrize(
    ("old", "new", "limit", "expected"),
    [
        (10, 12, Limit(at_most=20), "worse"),
        (12, 10, Limit(at_most=20), "better"),
        (10, 10.9, Limit(at_most=20), ""),  # by less than a tenth
        (0.01, 0.02, Limit(at_most=20), ""),  # by less than a hundredth of the limit
        (0.99, 0.95, Limit(at_least=0.9), "worse"),  # by little, but nearly half of the room is gone
        (0.95, 0.99, Limit(at_least=0.9), "better"),
        (5, 3, Limit(at_least=1), ""),  # enough either way
        (5, 1.5, Limit(at_least=1), "worse"),
        (100, 100.2, Limit(99, 101), ""),
        (100, 100.8, Limit(99, 101), "worse"),
        (99.2, 100, Limit(99, 101), "better"),
        (0, 3, Limit(at_most=0), "worse"),
        (5, 3, Limit(at_most=0), "better"),
        (12, 13, Limit(12, 12), "worse"),
        (10, None, Limit(at_most=20), "worse"),
        (None, 10, Limit(at_most=20), "better"),
        (None, None, Limit(at_most=20), ""),
        (19, 15, Limit(at_most=20, marginal=2), "better"),
    ],
)
def test_direction_follows_from_the_limit(old: float | None, new: float | None, limit: Limit, expected: str) -> None:
    assert direction(of_values(old, new, limit)) == expected


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_worse_in_one_direction_is_better_in_the_other(old: float, new: float, low: float, width: float) -> None:
    limit = Limit(low, low + width)
    forward, backward = direction(of_values(old, new, limit)), direction(of_values(new, old, limit))
    if forward and backward:
        assert {forward, backward} == {"worse", "better"}


def test_value_without_a_limit_is_not_compared() -> None:
    old, new = a_run(Measurement("memory", "MiB", 80)), a_run(Measurement("memory", "MiB", 800))
    assert direction(compare(old, new, name="old")) == ""


def test_run_compared_with_itself_has_no_changes() -> None:
    same = compare(big_run(), big_run(), name="old")
    assert (same.worse, same.better, same.missing, same.new, same.conditions) == ([], [], [], [], [])
    assert same.compared > 100


def test_worse_verdict_is_named_with_its_measurement() -> None:
    found = compare(older_run(), big_run(), name="old")
    changes = [(each.measure, each.before, each.now, each.why) for each in found.worse if each.scenario == "duplicate"]
    assert changes == [
        ("verdict", "passed", "failed", ""),
        ("events repeated", "0 events", "4 events", "passed, now failed"),
    ]


def test_missing_new_and_skipped_scenarios_are_named() -> None:
    found = compare(older_run(), big_run(), name="old")
    assert (found.missing, found.new) == (["cosmic rays"], ["corrupt"])
    skipped = run_of([replace(big_run().scenarios[0], verdict=Verdict.SKIPPED, why="no broker", measurements=[])])
    found = compare(run_of(big_run().scenarios[:1]), skipped, name="old")
    assert found.missing == ["steady (now skipped: no broker)"]
    assert found.worse == []
    assert compare(skipped, run_of(big_run().scenarios[:1]), name="old").new == ["steady (was skipped)"]


def test_missing_and_new_measurements_are_named() -> None:
    old, new = a_run(Measurement("a", "", 1, Limit(at_most=2))), a_run(Measurement("b", "", 1, Limit(at_most=2)))
    found = compare(old, new, name="old")
    assert (found.missing, found.new) == (["s: a"], ["s: b"])


def test_other_machine_and_device_are_named_but_not_the_load() -> None:
    new = big_run()
    old = replace(
        new,
        environment=new.environment | {"kernel": "Linux 5", "load average, 1 min": 7.0, "cores": None},
        scenarios=[replace(each, dut="serial:/dev/ttyACM0") for each in new.scenarios[:2]] + list(new.scenarios[2:]),
    )
    found = compare(old, new, name="old")
    assert [(each.scenario, each.measure, each.before, each.now) for each in found.conditions] == [
        ("", "kernel", "Linux 5", "Linux 6.12.0"),
        ("", "cores", "unknown", "4"),
        ("in 2 scenarios", "device under test", "serial:/dev/ttyACM0", "emulated"),
    ]


def times(
    p50_us: float, p99_us: float, *, count: int = 1000, floor: bool = False, unsure_us: float | None = None
) -> Latency:
    return Latency("e", count, p50_us, p50_us, p99_us, p99_us, p99_us, [], floor=floor, uncertainty_us=unsure_us)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((times(2000, 5000),), (times(2600, 5000),), ["latency e, p50"]),
        ((times(2000, 5000),), (times(2300, 5000),), []),  # by less than a fifth
        ((times(100, 500),), (times(140, 900),), []),  # by less than the clocks and a scheduler make
        ((times(2000, 5000),), (times(2000, 9000),), ["latency e, p99"]),
        ((times(2000, 5000),), (times(2000, 9000, count=100),), []),  # of 100 values the p99 is chance
        ((times(2000, 5000),), (times(2600, 5000, unsure_us=500),), []),
        ((times(2000, 5000), times(300, 900, floor=True)), (times(2600, 5000), times(900, 900, floor=True)), []),
        (
            (times(2000, 5000), times(300, 900, floor=True)),
            (times(2600, 5000), times(300, 900, floor=True)),
            ["latency e, p50"],
        ),
    ],
)
def test_latency_counts_if_it_changed_by_more_than_noise_and_the_floor(
    old: tuple[Latency, ...], new: tuple[Latency, ...], expected: list[str]
) -> None:
    found = compare(a_run(latencies=old), a_run(latencies=new), name="old")
    assert [each.measure for each in found.worse] == expected
    back = compare(a_run(latencies=new), a_run(latencies=old), name="old")
    assert len(back.worse) == 0


def test_changed_latency_floor_is_a_condition() -> None:
    found = compare(
        a_run(latencies=(times(300, 900, floor=True),)), a_run(latencies=(times(900, 900, floor=True),)), name="o"
    )
    assert [each.measure for each in found.conditions] == ["latency floor e, p50"]
    assert found.worse == []


@pytest.mark.parametrize(("late_ms", "worse"), [(0.1, ["recovery_s", "latency e, p50"]), (50.0, [])])
def test_times_are_not_compared_if_the_computer_was_busy(late_ms: float, worse: list[str]) -> None:
    def run(late_ms: float, recovery_s: float, p50_us: float) -> RunRecord:
        measured = Measurement("recovery_s", "s", recovery_s, Limit(at_most=5))
        return a_run(measured, Measurement("host_late_p99_ms", "ms", late_ms), latencies=(times(p50_us, 9000),))

    found = compare(run(0.1, 1.0, 1000), run(late_ms, 2.0, 2000), name="old")
    assert [each.measure for each in found.worse] == worse
    assert [each.now for each in found.conditions] == ([] if worse else ["50 ms late"])


def test_scenarios_with_the_same_name_are_compared_in_order() -> None:
    one, two = a_run(verdict=Verdict.PASS).scenarios[0], a_run(verdict=Verdict.FAIL).scenarios[0]
    found = compare(run_of([one, two]), run_of([one, one]), name="old")
    assert [(each.scenario, each.measure) for each in found.better] == [("s (2)", "verdict")]


def test_changes_are_in_the_order_of_the_record() -> None:
    rng = np.random.default_rng(1)
    names = [f"m{i}" for i in rng.permutation(30)]
    old = a_run(*(Measurement(name, "", 0, Limit(at_most=0)) for name in names))
    new = a_run(*(Measurement(name, "", 1, Limit(at_most=0)) for name in names))
    assert [each.measure for each in compare(old, new, name="old").worse] == names

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.decision import Decision, Switch
from models.decision_parameters import DecisionParameters
from stinger.errors import InputError

NAN = math.nan


class Plain:
    """The rule, written down step by step."""

    def __init__(self, parameters: DecisionParameters) -> None:
        self.parameters = parameters
        self.switches: list[tuple[int, bool]] = []
        self.wheels = False
        self.restart()

    def restart(self) -> None:
        self.s, self.held = 0.0, 0.0
        self.output_ms: int | None = None
        self.before: int | None = None

    def is_stale(self, at: int) -> bool:
        return self.output_ms is None or at - self.output_ms >= self.parameters.stale_ms

    def switch(self, at: int, on: bool) -> None:
        if self.wheels != on:
            self.wheels = on
            self.switches.append((at, on))

    def step(self, at: int, *, stale: bool) -> None:
        if stale:
            for _ in range(32):
                self.s -= self.parameters.release * self.s
        else:
            rate = self.parameters.attack if self.held > self.s else self.parameters.release
            self.s += rate * (self.held - self.s)
        if self.s < self.parameters.off:
            self.switch(at, False)
        elif self.s >= self.parameters.on and not stale:
            self.switch(at, True)

    def pass_time(self, until: int) -> None:
        if self.is_stale(until):
            self.switch((self.output_ms or 0) + self.parameters.stale_ms, False)

    def sample(self, now: int, p: float) -> tuple[bool, float]:
        if self.before is not None and now < self.before:
            self.switch(now, False)
            self.restart()
        if self.before is not None:
            for missed in range(1, math.floor((now - self.before) / 10 + 0.5)):
                at = self.before + 10 * missed
                self.pass_time(at)
                self.step(at, stale=self.is_stale(at))
        self.pass_time(now)
        if not math.isnan(p):
            self.held, self.output_ms = p, now
        self.step(now, stale=self.is_stale(now))
        self.before = now
        return self.wheels, self.s


steps_ms = st.one_of(st.just(10), st.integers(0, 30), st.integers(200, 300), st.integers(-50, 3000))
probabilities = st.one_of(st.floats(0, 1, width=32), st.just(NAN), st.sampled_from([0.0, 1.0]))


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[int, float]]:
    """Samples with irregular times, gaps, jumps back and missing outputs, between long regular stretches."""
    samples: list[tuple[int, float]] = []
    now = draw(st.integers(0, 2**33))
    for step, p, repeats in draw(st.lists(st.tuples(steps_ms, probabilities, st.integers(0, 90)), max_size=12)):
        now = max(0, now + step)
        samples.append((now, p))
        for _ in range(repeats):
            now += 10
            samples.append((now, p))
    return samples


def as_arrays(samples: list[tuple[int, float]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    return np.array([t for t, _ in samples], dtype=np.int64), np.array([p for _, p in samples], dtype=np.float32)


parameter_sets = st.builds(
    DecisionParameters,
    on=st.floats(0.05, 0.95),
    attack=st.floats(0.01, 1),
    release=st.floats(0.01, 1),
    stale_ms=st.integers(20, 500),
)


@given(streams(), parameter_sets)
def test_decision_follows_the_rule_as_written_down_step_by_step(
    samples: list[tuple[int, float]], parameters: DecisionParameters
) -> None:
    decided = Decision(parameters).push(*as_arrays(samples))
    rule = Plain(parameters)
    expected = [rule.sample(now, p) for now, p in samples]
    assert decided.wheels.tolist() == [wheels for wheels, _ in expected]
    np.testing.assert_allclose(decided.envelope, [s for _, s in expected], rtol=0, atol=1e-12)
    assert [(switch.time_ms, switch.on) for switch in decided.switches] == rule.switches


@given(streams(), st.data())
def test_blocks_of_any_length_give_the_same_result(samples: list[tuple[int, float]], data: st.DataObject) -> None:
    times, probability = as_arrays(samples)
    whole = Decision().push(times, probability)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(samples)), max_size=8)))
    decision = Decision()
    parts = [decision.push(t, p) for t, p in zip(np.split(times, cuts), np.split(probability, cuts), strict=True)]
    assert np.array_equal(np.concatenate([part.wheels for part in parts]), whole.wheels)
    assert np.array_equal(np.concatenate([part.envelope for part in parts]), whole.envelope)
    assert tuple(switch for part in parts for switch in part.switches) == whole.switches


@given(streams(), parameter_sets)
def test_samples_stepped_one_by_one_switch_as_a_block(
    samples: list[tuple[int, float]], parameters: DecisionParameters
) -> None:
    times, probability = as_arrays(samples)
    whole, single = Decision(parameters).push(times, probability), Decision(parameters)
    stepped = [
        (single.step(now, p), single.wheels, single.envelope)
        for now, p in zip(times.tolist(), probability.tolist(), strict=True)
    ]
    assert tuple(switch for switches, _, _ in stepped for switch in switches) == whole.switches
    assert [wheels for _, wheels, _ in stepped] == whole.wheels.tolist()
    assert [envelope for _, _, envelope in stepped] == whole.envelope.tolist()


@given(streams(), st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_ticks_between_samples_only_change_when_a_switch_is_known(
    samples: list[tuple[int, float]], moments: list[float]
) -> None:
    times, probability = as_arrays(samples)
    whole = Decision().push(times, probability)
    decision = Decision()
    envelope: list[float] = []
    switches: list[Switch] = []
    for i in range(len(samples)):
        decided = decision.push(times[i : i + 1], probability[i : i + 1])
        envelope.append(float(decided.envelope[0]))
        switches += decided.switches
        if i + 1 < len(samples) and times[i + 1] >= times[i]:
            for moment in sorted(moments):
                switches += decision.tick(int(times[i] + moment * (times[i + 1] - times[i])))
    np.testing.assert_allclose(envelope, whole.envelope, rtol=0, atol=1e-12)
    assert tuple(switches) == whole.switches


@given(streams(), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_higher_threshold_never_adds_time_with_wheels_on(
    samples: list[tuple[int, float]], one: float, other: float
) -> None:
    low, high = sorted((one, other))
    block = as_arrays(samples)
    lower = Decision(DecisionParameters(on=low)).push(*block).wheels
    higher = Decision(DecisionParameters(on=high)).push(*block).wheels
    assert not (higher & ~lower).any()


def constant(count: int, p: float, *, start_ms: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    return start_ms + 10 * np.arange(count), np.full(count, p)


def test_wheels_go_on_about_50_ms_after_the_probability_and_off_after_its_release() -> None:
    decision = Decision()
    decided = decision.push(np.arange(200) * 10, np.repeat([1.0, 0.0], 100))
    # 1 - 0.82 ** 4 is the first to reach 0.5; 0.97 ** 46 the first below 0.25.
    assert decided.switches == (Switch(30, True), Switch(1000 + 45 * 10, False))


def test_wheels_go_off_250_ms_after_the_last_output_though_nothing_comes() -> None:
    decision = Decision()
    decision.push(*constant(30, 1.0))
    assert decision.tick(290 + 249) == ()
    assert decision.tick(290 + 4000) == (Switch(290 + 250, False),)
    assert not decision.wheels
    assert decision.envelope < 0.001


def test_samples_without_an_output_make_it_stale_too() -> None:
    decision = Decision()
    decision.push(*constant(30, 1.0))
    decided = decision.push(*constant(60, NAN, start_ms=300))
    assert decided.switches == (Switch(540, False),)
    assert not decided.wheels[24:].any()
    assert decided.wheels[:24].all()


def test_switch_inside_a_gap_has_its_own_time() -> None:
    decision = Decision()
    decided = decision.push(np.array([0, 10, 20, 2000]), np.array([1.0, 1.0, 1.0, NAN]))
    assert decided.switches == (Switch(30, True), Switch(270, False))
    assert not decided.wheels.any()


def test_wheels_stay_off_before_the_first_output() -> None:
    decided = Decision().push(*constant(100, NAN))
    assert not decided.envelope.any()
    assert decided.switches == ()


def test_time_that_falls_back_starts_over() -> None:
    decision = Decision()
    decision.push(*constant(100, 1.0, start_ms=5000))
    decided = decision.push(np.array([10]), np.array([0.0]))
    assert decided.switches == (Switch(10, False),)
    assert decision.envelope == 0.0


def test_wheels_go_off_at_half_the_threshold_by_default() -> None:
    assert DecisionParameters(on=0.8).off == 0.4
    assert DecisionParameters(on=0.8, off=0.79).off == 0.79
    assert DecisionParameters(on=0.8, off=0.7).at(0.6).off == 0.3


def test_parameters_survive_json() -> None:
    parameters = DecisionParameters(on=0.62, off=0.6, attack=0.5, release=0.1, stale_ms=300)
    assert DecisionParameters.from_json(json.loads(json.dumps(parameters.to_json()))) == parameters
    assert DecisionParameters.from_json({}) == DecisionParameters()


@pytest.mark.parametrize(
    "changes",
    [
        {"on": 0.04},
        {"on": 0.96},
        {"on": NAN},
        {"off": 0.495},
        {"off": -0.1},
        {"attack": 0.0},
        {"release": 1.5},
        {"stale_ms": 0},
    ],
)
def test_parameters_that_mean_nothing_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        replace(DecisionParameters(), **changes)


@pytest.mark.parametrize("values", [{"on": "0.5"}, {"on": True}, {"stale_ms": 250.5}, {"of": 0.2}])
def test_json_of_another_shape_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(InputError):
        DecisionParameters.from_json(values)


@given(
    values=st.lists(st.one_of(st.floats(0, 1, width=32), st.just(math.nan)), max_size=60),
    steps_ms=st.lists(st.sampled_from([0, 9, 10, 10, 10, 14, 15, 40, 300, -500]), min_size=60, max_size=60),
)
def test_switches_of_a_short_block_are_those_of_push(values: list[float], steps_ms: list[int]) -> None:
    time_ms = 5000 + np.cumsum(steps_ms[: len(values)], dtype=np.int64)
    pushed, short = Decision(), Decision()
    assert short.switches(time_ms.tolist(), values) == pushed.push(time_ms, np.array(values)).switches
    assert (short.envelope, short.wheels) == (pushed.envelope, pushed.wheels)
    assert short.tick(int(time_ms.max(initial=5000)) + 400) == pushed.tick(int(time_ms.max(initial=5000)) + 400)

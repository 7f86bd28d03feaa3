from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.decision import Decision, Switch
from models.decision_parameters import DecisionParameters
from models.quiet_decisions import advance_quiet
from tests.models.test_decision import parameter_sets, probabilities

STEPS_MS = st.sampled_from([10] * 12 + [0, 9, 14, 15, 40, 300, -500])
PROBABILITIES = st.one_of(st.sampled_from([0.0, 0.1, 0.249, 0.25, 0.3, 0.5, 0.501]), probabilities)


@st.composite
def stretches(draw: st.DrawFn) -> list[tuple[int, float]]:
    """Times and probabilities of some samples of one blaster, mostly 10 ms apart and often of a steady level."""
    now_ms = draw(st.integers(1000, 2**32))
    level = draw(PROBABILITIES)
    samples = []
    for step_ms in draw(st.lists(STEPS_MS, min_size=1, max_size=60)):
        now_ms = max(0, now_ms + step_ms)
        samples.append((now_ms, draw(PROBABILITIES) if draw(st.integers(0, 9)) == 0 else level))
    return samples


@given(st.lists(stretches(), min_size=1, max_size=6), st.lists(parameter_sets, min_size=6, max_size=6), st.data())
def test_blocks_of_many_blasters_are_decided_as_each_alone(
    streams: list[list[tuple[int, float]]], parameters: list[DecisionParameters], data: st.DataObject
) -> None:
    together = [Decision(one) for one in parameters[: len(streams)]]
    alone = copy.deepcopy(together)
    while any(streams):
        taken = [data.draw(st.integers(1, 30)) for _ in streams]
        given_to = [i for i, stream in enumerate(streams) if stream]
        blocks = [streams[i][: taken[i]] for i in given_to]
        streams = [stream[count:] for stream, count in zip(streams, taken, strict=True)]
        switches = [
            alone[i].switches([time for time, _ in block], [float(np.float32(p)) for _, p in block])
            for i, block in zip(given_to, blocks, strict=True)
        ]
        assert _advance([together[i] for i in given_to], blocks) == switches
        assert [_later_decisions(one) for one in together] == [_later_decisions(one) for one in alone]


@pytest.mark.parametrize("count", [5, 100])
def test_quiet_blocks_of_a_few_and_of_many_blasters_are_all_processed_at_once(count: int) -> None:
    together, alone = [Decision() for _ in range(count)], [Decision() for _ in range(count)]
    rng = np.random.default_rng(1)
    for first_ms in range(1000, 3000, 200):
        time_ms = first_ms + 10 * np.arange(20)
        probability = rng.uniform(0, 0.49, (count, 20)).astype(np.float32)
        for decision, own in zip(alone, probability, strict=True):
            assert decision.switches(time_ms.tolist(), own.tolist()) == ()
        quiet = advance_quiet(
            together,
            np.tile(time_ms, count),
            probability.ravel(),
            np.arange(count + 1) * 20,
            np.ones(count, dtype=bool),
        )
        assert quiet.all() == (first_ms > 1000), "a blaster's first sample is not quiet"
        if not quiet.all():
            for decision, own in zip(together, probability, strict=True):
                decision.push(time_ms, own)
        assert [one.envelope for one in together] == [one.envelope for one in alone]


def test_block_that_is_not_allowed_is_left_as_it_is() -> None:
    decisions = [Decision(), Decision()]
    for decision in decisions:
        decision.step(0, 0.3)
    before = decisions[0].envelope
    quiet = advance_quiet(
        decisions, np.array([10, 10]), np.full(2, 0.3, np.float32), np.arange(3), np.array([False, True])
    )
    assert quiet.tolist() == [False, True]
    assert decisions[0].envelope == before < decisions[1].envelope


def _advance(decisions: list[Decision], blocks: list[list[tuple[int, float]]]) -> list[tuple[Switch, ...]]:
    """Process a block of each decision, quietly where possible, and return the switches in each."""
    time_ms = np.array([time for block in blocks for time, _ in block])
    probability = np.array([p for block in blocks for _, p in block], dtype=np.float32)
    starts = np.concatenate(([0], np.cumsum([len(block) for block in blocks])))
    quiet = advance_quiet(decisions, time_ms, probability, starts, np.ones(len(blocks), dtype=bool)).tolist()
    return [
        ()
        if quiet[i]
        else decision.push(time_ms[starts[i] : starts[i + 1]], probability[starts[i] : starts[i + 1]]).switches
        for i, decision in enumerate(decisions)
    ]


def _later_decisions(decision: Decision) -> tuple[object, ...]:
    """Return what a decision will do without further samples: two decisions with the same answer have the same state."""
    later = copy.deepcopy(decision)
    state = later.envelope, later.wheels, later.sample_ms, later.output_ms
    return *state, later.tick((later.sample_ms or 0) + 10_000), later.envelope

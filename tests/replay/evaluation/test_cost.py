from __future__ import annotations

import numpy as np
import pytest

from models.decision_parameters import DecisionParameters
from replay.evaluation.cost import CostWeights, cost_per_minute, cost_table, divide_into_blocks
from replay.evaluation.evaluate import evaluate_followed, follow_traces
from tests.replay.evaluation.noisy_models import outputs, sessions_of

PARAMETERS = [DecisionParameters(on=on) for on in (0.1, 0.3, 0.5, 0.7, 0.9)]


def test_counts_of_the_blocks_add_up_to_those_of_the_evaluation() -> None:
    followed = follow_traces(outputs(sessions_of(3), np.random.default_rng(1)), PARAMETERS[0])
    blocks = divide_into_blocks([one.trace for one in followed])
    table = cost_table(followed, blocks, PARAMETERS)
    for counts, parameters in zip(table.counts, PARAMETERS, strict=True):
        result = evaluate_followed(followed, parameters)
        missed, false, on = counts.sum(axis=0)
        assert missed == result.accepted.total - result.accepted.count
        assert false == result.false.count
        assert on == pytest.approx(result.duty * result.minutes)
        cost = CostWeights().missed_shot * missed + 0.1 * false + 3 * on
        assert cost_per_minute(result, CostWeights()) == pytest.approx(cost / result.minutes)
    assert blocks.shots.sum() == result.accepted.total
    assert blocks.minutes.sum() == pytest.approx(result.minutes)
    assert (table.counts[:, :, 2] <= blocks.minutes + 1e-9).all()


def test_blocks_are_at_most_a_minute_and_at_least_ten_seconds_long() -> None:
    short = divide_into_blocks(outputs(sessions_of(1, samples=4000, shots=9), np.random.default_rng(1)))
    assert short.minutes.size == 4
    long = divide_into_blocks(outputs(sessions_of(6, samples=60_000, shots=100), np.random.default_rng(1)))
    assert long.minutes.size == 60
    assert long.minutes == pytest.approx(1)


def test_parts_are_sessions_or_stretches_of_time_if_one_session_has_shots() -> None:
    several = divide_into_blocks(outputs(sessions_of(3), np.random.default_rng(1)))
    assert np.array_equal(several.part, several.session)
    single = divide_into_blocks(outputs(sessions_of(1), np.random.default_rng(1)))
    assert np.unique(single.part).tolist() == [0, 1, 2, 3, 4]
    assert (np.diff(single.part) >= 0).all()


def test_missed_shots_cost_nothing_until_too_few_are_in_time() -> None:
    weights = CostWeights(enough_in_time=0.975)
    counts = np.array([[0.0, 2, 1], [5, 2, 1], [6, 2, 1]])
    assert weights.total(counts, 200) == pytest.approx([3.2, 3.2, 4.2])
    assert CostWeights().total(counts, 200) == pytest.approx([3.2, 8.2, 9.2])


@pytest.mark.parametrize(("shots", "free"), [(39, 0), (40, 1), (79, 1), (80, 2)])
def test_only_whole_missed_shots_cost_nothing(shots: int, free: int) -> None:
    counts = np.array([float(free + 1), 0, 0])
    assert CostWeights(enough_in_time=0.975).total(counts, shots) == pytest.approx(1)

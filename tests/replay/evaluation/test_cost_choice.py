from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.decision_parameters import DecisionParameters
from replay.evaluation.block_bootstrap import BlockBootstrap
from replay.evaluation.comparison import Comparison, compare
from replay.evaluation.cost import Blocks, CostTable, CostWeights, cost_table, divide_into_blocks
from replay.evaluation.cost_choice import Budget, held_out_counts, least_cost
from replay.evaluation.evaluate import follow_traces
from replay.evaluation.sweep import thresholds
from replay.trace import Trace
from tests.replay.evaluation.noisy_models import outputs, sessions_of

WEIGHTS = CostWeights()
PARAMETERS = [DecisionParameters(on=on) for on in thresholds(18)]


def table_of(traces: list[Trace]) -> tuple[CostTable, Blocks]:
    blocks = divide_into_blocks(traces)
    return cost_table(follow_traces(traces, PARAMETERS[0]), blocks, PARAMETERS), blocks


def cost_of(traces: list[Trace]) -> float:
    table, blocks = table_of(traces)
    return float((held_out_counts(table, blocks, WEIGHTS).array @ WEIGHTS.each).sum())


def comparison_of(champion: list[Trace], challenger: list[Trace]) -> Comparison:
    (one, blocks), (other, _) = table_of(champion), table_of(challenger)
    held_out = [held_out_counts(table, blocks, WEIGHTS).array for table in (one, other)]
    return compare(held_out[0], held_out[1], blocks, WEIGHTS, BlockBootstrap(blocks, confidence=0.95))


def by_hand(*totals: tuple[float, float, float], parts: int = 4) -> tuple[CostTable, Blocks]:
    """A table with these counts in every part, each a session of one minute with ten shots."""
    counts = np.repeat(np.array(totals)[:, np.newaxis], parts, axis=1)
    session = np.arange(parts)
    blocks = Blocks((np.array([0, 1]),) * parts, session, session, np.full(parts, 10.0), np.ones(parts))
    return CostTable(tuple(PARAMETERS[: len(totals)]), counts), blocks


def test_least_cost_is_that_of_the_counts_and_of_equal_ones_the_highest_threshold() -> None:
    table, blocks = by_hand((0, 30, 0.9), (1, 3, 0.4), (1, 3, 0.4), (9, 0, 0.1))
    assert least_cost(table, blocks, WEIGHTS) == 2
    assert least_cost(table, blocks, replace(WEIGHTS, missed_shot=100)) == 0
    assert least_cost(table, blocks, replace(WEIGHTS, minute_on=100)) == 3


def test_shots_beyond_enough_in_time_are_given_up_for_less_time_with_wheels_on() -> None:
    table, blocks = by_hand((0, 3, 0.5), (1, 3, 0.4), (2, 3, 0.35))
    assert least_cost(table, blocks, WEIGHTS) == 0
    assert least_cost(table, blocks, replace(WEIGHTS, enough_in_time=0.9)) == 1
    assert least_cost(table, blocks, replace(WEIGHTS, enough_in_time=0.8)) == 2


def test_limits_exclude_thresholds_and_those_without_a_shot_in_time() -> None:
    table, blocks = by_hand((0, 5, 0.3), (1, 3, 0.4), (4, 1, 0.2), (10, 0, 0))
    assert least_cost(table, blocks, WEIGHTS, Budget(3, 1)) == 1
    assert least_cost(table, blocks, WEIGHTS, Budget(3, 0.3)) == 2
    assert least_cost(table, blocks, WEIGHTS, Budget(0.5, 1)) is None


def test_tolerance_only_excludes_what_clearly_exceeds_the_limit() -> None:
    table, blocks = by_hand((0, 3, 0.3), parts=9)
    uneven = table.counts.copy()
    uneven[0, :, 1] = [0, 0, 0, 3, 3, 3, 6, 6, 6]
    spread = replace(table, counts=uneven)
    assert least_cost(spread, blocks, WEIGHTS, Budget(2, 1)) is None
    assert least_cost(spread, blocks, WEIGHTS, Budget(2, 1, tolerance=2)) == 0
    assert least_cost(table, blocks, WEIGHTS, Budget(2, 1, tolerance=2)) is None


def test_choice_for_a_part_does_not_depend_on_that_part() -> None:
    table, blocks = by_hand((0, 5, 0.3), (1, 3, 0.4), (4, 1, 0.2))
    changed = table.counts.copy()
    changed[:, 0] = [(9, 9, 9), (0, 0, 0), (5, 5, 5)]
    before = held_out_counts(table, blocks, WEIGHTS).array
    after = held_out_counts(replace(table, counts=changed), blocks, WEIGHTS).array
    # The shares that the rows have for the first part follow from its own counts before and after.
    shares = np.linalg.lstsq(table.counts[:, 0].T, before[0], rcond=None)[0]
    assert after[0] == pytest.approx(changed[:, 0].T @ shares)


def test_nothing_within_the_budget_elsewhere_means_wheels_off() -> None:
    table, blocks = by_hand((0, 5, 0.3), (1, 3, 0.4))
    assert held_out_counts(table, blocks, WEIGHTS, Budget(1, 1)).blocks == ((10.0, 0.0, 0.0),) * 4


def test_threshold_that_is_clearly_best_is_nearly_the_only_one() -> None:
    table, blocks = by_hand((0, 1, 0.1), (9, 3, 0.4))
    assert held_out_counts(table, blocks, WEIGHTS).array == pytest.approx(np.tile([0, 1, 0.1], (4, 1)), abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_small_changes_of_the_output_change_the_cost_little(seed: int) -> None:
    rng = np.random.default_rng(seed)
    traces = outputs(sessions_of(4), rng)
    cost = cost_of(traces)
    shots = sum(trace.session.accepted_shots for trace in traces)
    for _ in range(4):
        moved = [
            replace(
                trace,
                probability=np.clip(trace.probability + rng.normal(scale=0.002, size=trace.probability.size), 0, 1),
            )
            for trace in traces
        ]
        assert abs(cost_of(moved) - cost) < 0.03 * shots


def test_nearly_equal_models_cost_nearly_the_same_where_the_most_shots_within_a_limit_jump() -> None:
    """One has 2.0, the other 2.1 false spin-ups a minute at their good threshold; both have few false ones at a bad one."""
    champion, blocks = by_hand((0.4, 2.0, 0.43), (8.8, 1.4, 0.1), parts=30)
    challenger, _ = by_hand((0.4, 2.1, 0.43), (8.8, 1.4, 0.1), parts=30)
    budget = Budget(2, 0.5)
    assert least_cost(champion, blocks, WEIGHTS, budget) == 0
    assert least_cost(challenger, blocks, WEIGHTS, budget) == 1
    one, other = (held_out_counts(table, blocks, WEIGHTS).array for table in (champion, challenger))
    found = compare(one, other, blocks, WEIGHTS, BlockBootstrap(blocks, confidence=0.95))
    assert abs(found.in_time.value) < 0.5
    assert found.cost.value == pytest.approx(0.01, abs=0.005)


def test_equal_models_rarely_beat_each_other() -> None:
    """Each of the two sides is to be called better in at most about 2.5 % of draws."""
    sessions = sessions_of(4, samples=6000, shots=15)
    rng = np.random.default_rng(20)
    draws = 80
    better = worse = 0
    for _ in range(draws):
        found = comparison_of(outputs(sessions, rng), outputs(sessions, rng))
        better += found.is_better
        worse += found.is_worse
    # With 5 % each, more than 9 of 80 come once in a hundred times.
    assert better <= 9
    assert worse <= 9


def test_more_noise_never_makes_a_model_better_and_less_noise_wins() -> None:
    sessions = sessions_of(8, shots=10)
    rng = np.random.default_rng(3)
    for _ in range(5):
        clean, noisy = outputs(sessions, rng, skill=5, noise=0.3), outputs(sessions, rng, skill=5, noise=3.0)
        assert comparison_of(noisy, clean).is_better
        assert comparison_of(clean, noisy).is_worse


def test_sessions_are_drawn_if_there_are_ten() -> None:
    sessions = sessions_of(10, shots=10)
    one, other = (
        outputs(sessions, np.random.default_rng(1), skill=2),
        outputs(sessions, np.random.default_rng(2), skill=5),
    )
    found = comparison_of(one, other)
    assert (found.units, found.count) == ("sessions", 10)
    assert found.is_better


def test_too_few_blocks_for_an_interval_say_nothing() -> None:
    table, blocks = by_hand((0, 1, 0.1), parts=7)
    bootstrap = BlockBootstrap(blocks, confidence=0.95)
    found = compare(table.counts[0] + 5, table.counts[0], blocks, WEIGHTS, bootstrap)
    assert not found.is_better
    assert np.isnan(found.probability)

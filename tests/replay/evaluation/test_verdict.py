from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.evaluation.contest import Contest
from replay.evaluation.cost import CostWeights
from replay.evaluation.cost_choice import Budget
from replay.evaluation.verdict import Rules, judge
from tests.replay.evaluation.contests import contender, contest_of

BUDGET = Budget(max_false_per_minute=2, max_duty=0.5)
RULES = Rules(CostWeights(), BUDGET, confidence=0.95)


def reasons(contest: Contest) -> tuple[str, ...]:
    (ruling,) = judge(contest, RULES).rulings
    return ruling.reasons


def test_clearly_better_challenger_wins_and_the_difference_is_that_of_the_counts() -> None:
    contest = contest_of(contender("old", (60, 100, 10)), contender("new", (90, 100, 5)))
    verdict = judge(contest, RULES)
    assert verdict.winner == "new"
    comparison = verdict.ruling("new").comparison
    assert comparison is not None
    assert comparison.in_time.value == pytest.approx(30)
    assert comparison.false_per_minute.value == pytest.approx(-0.5)
    assert comparison.cost.value == pytest.approx(-(30 + 0.1 * 5) / 10)
    assert comparison.probability == 1


def test_difference_of_a_shot_or_two_is_called_equal() -> None:
    contest = contest_of(contender("old", (80, 100, 10)), contender("new", (82, 100, 10)))
    assert judge(contest, RULES).winner is None
    assert reasons(contest)[0].startswith(
        "It is equal to the champion, as far as the data show: of 100 shots, 2.0 more in time (0.0 to "
    )


def test_identical_challenger_is_equal() -> None:
    contest = contest_of(contender("old", (80, 100, 10)), contender("new", (80, 100, 10)))
    (ruling,) = judge(contest, RULES).rulings
    assert ruling.comparison is not None
    assert ruling.comparison.probability == 0.5
    assert "It is equal" in ruling.reasons[0]


def test_clearly_worse_challenger_is_called_worse() -> None:
    contest = contest_of(contender("old", (90, 100, 5)), contender("new", (60, 100, 10)))
    assert reasons(contest)[0].startswith(
        "It is worse than the champion: of 100 shots, 30.0 fewer in time (30.0 to 30.0)"
    )


def test_better_only_in_one_block_of_time_is_not_enough() -> None:
    old, new = (80, 100, 10), (80, 100, 10)
    contest = contest_of(contender("old", old, (0, 9, 0)), contender("new", new, (9, 9, 0)))
    assert judge(contest, RULES).winner == "new"  # nine blocks
    contest = contest_of(contender("old", old, (0, 1, 0)), contender("new", new, (1, 1, 0)))
    assert judge(contest, RULES).winner is None


def test_challenger_over_the_limits_is_refused_with_its_figures() -> None:
    contest = contest_of(contender("old", (10, 100, 5)), contender("new", (90, 100, 30), within=None))
    (reason,) = reasons(contest)
    assert reason == (
        "It is better than the champion, but at its threshold, 0.50, it has 3.00 false spin-ups a minute (the limit is 2); "
        "no threshold within the limits has a shot in time."
    )


def test_challenger_that_is_better_within_the_limits_wins() -> None:
    old = contender("old", (10, 100, 5))
    contest = contest_of(old, contender("new", (90, 100, 30), within=[(80, 100, 20)]))
    verdict = judge(contest, RULES)
    assert verdict.winner == "new"
    within = verdict.ruling("new").within
    assert within is not None
    assert within.in_time.value == pytest.approx(70)


def test_challenger_that_is_better_only_beyond_the_limits_is_refused() -> None:
    contest = contest_of(contender("old", (60, 100, 5)), contender("new", (90, 100, 30), within=[(10, 100, 20)]))
    (reason,) = reasons(contest)
    assert "within the limits it is worse than the champion: of 100 shots, 50.0 fewer in time" in reason


def test_champion_that_clearly_exceeds_the_limits_counts_as_it_is_within_them() -> None:
    old = contender("old", (95, 100, 60), within=None)
    contest = contest_of(old, contender("new", (95, 100, 30), within=[(80, 100, 20)]))
    assert judge(contest, RULES).winner == "new"


def test_equal_challenger_is_called_equal_even_if_limits_leave_it_only_a_bad_threshold() -> None:
    contest = contest_of(contender("old", (96, 100, 17)), contender("new", (95, 100, 24), within=[(12, 100, 14)]))
    assert judge(contest, RULES).winner is None
    assert reasons(contest)[0].startswith("It is equal to the champion, as far as the data show")


def test_best_of_several_wins_and_the_others_follow_in_order_of_cost() -> None:
    old = contender("old", (50, 100, 5))
    contest = contest_of(old, contender("a", (80, 100, 5)), contender("b", (90, 100, 5)), contender("c", (50, 100, 5)))
    verdict = judge(contest, RULES)
    assert [one.challenger for one in verdict.rulings] == ["b", "a", "c"]
    assert verdict.winner == "b"
    assert [bool(one.reasons) for one in verdict.rulings] == [False, False, True]


def test_more_challengers_need_a_clearer_difference() -> None:
    old, new = contender("old", (80, 100, 10), (81, 100, 11)), contender("new", (83, 100, 10), (81, 100, 10))
    alone = judge(contest_of(old, new), RULES).ruling("new").comparison
    others = [contender(f"other{i}", (10, 100, 10), (10, 100, 10)) for i in range(20)]
    among = judge(contest_of(old, new, *others), RULES).ruling("new").comparison
    assert alone is not None
    assert among is not None
    assert among.cost.value == alone.cost.value
    assert among.cost.high > alone.cost.high


def test_those_that_could_not_be_trained_stand_last_with_the_reason() -> None:
    contest = contest_of(contender("old", (40, 50, 1)), contender("new", (50, 50, 1)), failed={"et:rich": "too large"})
    last = judge(contest, RULES).rulings[-1]
    assert (last.challenger, last.reasons) == ("et:rich", ("It could not be trained: too large.",))


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 20), st.integers(0, 20))
def test_winner_always_costs_less(old: int, new: int, old_false: int, new_false: int) -> None:
    contest = contest_of(contender("old", (old, 200, old_false)), contender("new", (new, 200, new_false)))
    verdict = judge(contest, RULES)
    if verdict.winner is not None:
        assert new - old + 0.1 * (old_false - new_false) > 0
    back = judge(contest_of(contender("old", (new, 200, new_false)), contender("new", (old, 200, old_false))), RULES)
    assert verdict.winner is None or back.winner is None

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.evaluation.contest import Contest
from replay.evaluation.verdict import Rules, judge
from tests.replay.evaluation.contests import contender, contest_of, nobody

RULES = Rules(margin=0.05, session_margin=0.1, session_false_margin=1)


def reasons(contest: Contest, rules: Rules = RULES) -> tuple[str, ...]:
    (ruling,) = judge(contest, rules).rulings
    return ruling.reasons


@pytest.mark.parametrize(("in_time", "wins"), [(84, False), (85, True), (80, False), (70, False)])
def test_challenger_needs_the_margin(in_time: int, *, wins: bool) -> None:
    contest = contest_of(contender("old", (80, 100, 1)), contender("new", (in_time, 100, 1)))
    assert (judge(contest, RULES).winner == "new") is wins
    if not wins:
        assert f"It has {in_time} of 100 accepted shots in time" in reasons(contest)[0]


def test_equal_is_not_better_even_without_a_margin() -> None:
    contest = contest_of(contender("old", (80, 100, 1)), contender("new", (80, 100, 0)))
    assert judge(contest, Rules(0, 1, 100)).winner is None
    assert "no more than the champion: it would need at least 1 more (0 %)" in reasons(contest, Rules(0, 1, 100))[0]


def test_worse_in_one_session_by_more_than_the_other_margin_is_refused_and_the_session_named() -> None:
    old = contender("old", (40, 50, 1), (40, 50, 1))
    contest = contest_of(old, contender("new", (50, 50, 1), (34, 50, 1)))
    assert reasons(contest, Rules(0, 0.1, 1)) == (
        "In s1 it has 34 of 50 shots in time, the champion 40: that is worse by more than 10 %.",
    )
    assert reasons(contest_of(old, contender("new", (50, 50, 1), (35, 50, 1))), Rules(0, 0.1, 1)) == ()


def test_one_shot_alone_decides_about_no_session() -> None:
    old = contender("old", (40, 50, 1), (1, 1, 0))
    assert reasons(contest_of(old, contender("new", (50, 50, 1), (0, 1, 0)))) == ()


def test_many_more_false_spin_ups_in_one_session_are_refused() -> None:
    old = contender("old", (40, 50, 5), (40, 50, 5))
    contest = contest_of(old, contender("new", (50, 50, 0), (50, 50, 16)))  # over ten minutes each
    assert reasons(contest) == (
        "In s1 it has 1.60 false spin-ups a minute, the champion 0.50: that is worse by more than 1.",
    )


def test_session_without_a_shot_is_judged_by_its_false_spin_ups() -> None:
    old = contender("old", (40, 50, 5), (0, 0, 0))
    assert reasons(contest_of(old, contender("new", (50, 50, 5), (0, 0, 10)))) == ()
    assert "In s1" in reasons(contest_of(old, contender("new", (50, 50, 5), (0, 0, 11))))[0]


def test_champion_that_cannot_keep_to_the_budget_is_beaten_by_one_that_can() -> None:
    contest = contest_of(nobody("old"), contender("new", (50, 100, 1)))
    assert judge(contest, RULES).winner == "new"


def test_challenger_that_cannot_keep_to_the_budget_never_wins() -> None:
    contest = contest_of(nobody("old"), nobody("new"))
    assert judge(contest, RULES).winner is None
    assert reasons(contest) == ("It has no threshold within the budget that has a shot in time.",)


def test_second_best_wins_where_the_best_is_refused() -> None:
    old = contender("old", (40, 50, 1), (40, 50, 1))
    best = contender("best", (50, 50, 1), (40, 50, 40))
    second = contender("second", (43, 50, 1), (42, 50, 1))
    verdict = judge(contest_of(old, second, best), Rules(0.01, 0.1, 1))
    assert [(one.challenger, bool(one.reasons)) for one in verdict.rulings] == [("best", True), ("second", False)]
    assert verdict.winner == "second"


def test_those_that_could_not_be_trained_stand_last_with_the_reason() -> None:
    contest = contest_of(contender("old", (40, 50, 1)), contender("new", (50, 50, 1)), failed={"et:rich": "too large"})
    last = judge(contest, RULES).rulings[-1]
    assert (last.challenger, last.reasons) == ("et:rich", ("It could not be trained: too large.",))


@given(st.integers(0, 200), st.integers(0, 200), st.floats(0, 1))
def test_winner_always_has_more_shots_in_time(old: int, new: int, margin: float) -> None:
    contest = contest_of(contender("old", (old, 200, 0)), contender("new", (new, 200, 0)))
    winner = judge(contest, Rules(margin, 1, 1000)).winner
    assert (winner is not None) == (new > old and new - old >= margin * 200 - 1e-9)

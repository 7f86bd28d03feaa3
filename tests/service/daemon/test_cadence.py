from __future__ import annotations

from service.daemon.flow import GATHER_S, MANY_BLOCKS_A_SECOND, SCORING_SHARE, Cadence


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def blocks_for_a_second(cadence: Cadence, clock: Clock, rate: int, *, scoring_s: float) -> None:
    for _ in range(rate):
        clock.now_s += 1 / rate
        cadence.count_block()
        cadence.count_scoring(scoring_s)


def test_blocks_are_scored_at_once_at_first() -> None:
    assert Cadence(Clock()).delay_s == 0


def test_many_blocks_that_are_costly_to_score_are_gathered() -> None:
    clock = Clock()
    cadence = Cadence(clock)
    blocks_for_a_second(cadence, clock, 1000, scoring_s=1.1 * SCORING_SHARE / 1000)
    assert cadence.delay_s == GATHER_S


def test_many_blocks_that_are_cheap_to_score_are_not_gathered() -> None:
    clock = Clock()
    cadence = Cadence(clock)
    blocks_for_a_second(cadence, clock, 1000, scoring_s=0.9 * SCORING_SHARE / 1000)
    assert cadence.delay_s == 0


def test_few_large_blocks_are_not_gathered() -> None:
    clock = Clock()
    cadence = Cadence(clock)
    blocks_for_a_second(cadence, clock, MANY_BLOCKS_A_SECOND - 50, scoring_s=0.9 / MANY_BLOCKS_A_SECOND)
    assert cadence.delay_s == 0


def test_gathering_ends_when_half_as_many_blocks_come() -> None:
    clock = Clock()
    cadence = Cadence(clock)
    blocks_for_a_second(cadence, clock, 1000, scoring_s=0.0009)
    blocks_for_a_second(cadence, clock, 600, scoring_s=0.0001)
    assert cadence.delay_s == GATHER_S
    blocks_for_a_second(cadence, clock, 400, scoring_s=0.0001)
    assert cadence.delay_s == 0

from __future__ import annotations

from service.base.backoff import Backoff


def test_ceiling_doubles_up_to_the_longest_wait() -> None:
    backoff = Backoff(draw=lambda low, high: low + high)
    assert [backoff.next_s() for _ in range(8)] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    backoff.reset()
    assert backoff.next_s() == 0.25


def test_no_wait_is_longer_than_all_before_it_and_the_first() -> None:
    backoff = Backoff()
    waited_s = 0.0
    for _ in range(50):
        wait_s = backoff.next_s()
        assert wait_s <= waited_s + 0.25
        waited_s += wait_s


def test_waits_are_spread_over_the_whole_range() -> None:
    waits = [Backoff().next_s() for _ in range(200)]
    assert min(waits) < 0.05
    assert 0.2 < max(waits) <= 0.25

from __future__ import annotations

from itertools import pairwise

from service.base.wall_clock import WallClock

SECOND = 1_000_000_000


class Clocks:
    def __init__(self) -> None:
        self.monotonic_ns = 0
        self.wall_ns = 1_700_000_000 * SECOND
        self.clock = WallClock(lambda: self.monotonic_ns, lambda: self.wall_ns)

    def pass_s(self, seconds: float) -> float:
        self.monotonic_ns += int(seconds * SECOND)
        self.wall_ns += int(seconds * SECOND)
        return self.clock.now_s()

    def step_s(self, seconds: float) -> None:
        self.wall_ns += int(seconds * SECOND)


def test_without_steps_it_is_the_system_time() -> None:
    clocks = Clocks()
    assert clocks.pass_s(10) == 1_700_000_010.0


def test_step_back_is_followed_without_time_going_back() -> None:
    clocks = Clocks()
    clocks.step_s(-2.0)
    times = [clocks.pass_s(0.1) for _ in range(300)]
    assert all(later > earlier for earlier, later in pairwise(times))
    assert times[0] > 1_700_000_000.0
    assert abs(times[-1] - clocks.wall_ns / SECOND) < 1e-6


def test_clock_that_was_set_is_followed_at_once() -> None:
    clocks = Clocks()
    clocks.step_s(50 * 365 * 86_400)
    assert abs(clocks.pass_s(0.01) - clocks.wall_ns / SECOND) < 1e-6

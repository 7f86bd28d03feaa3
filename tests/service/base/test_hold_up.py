from __future__ import annotations

import asyncio
import socket
import time

import pytest

from service.base.hold_up import CATCH_UP_S, HELD_UP_S, HoldUpDetector, timeout_after_reading


class Waits:
    """Waits of 50 ms on a clock of their own."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.detector = HoldUpDetector(lambda: self.now_s)

    def wait(self, late_s: float = 0.0) -> bool:
        self.detector.begin(0.05)
        self.now_s += 0.05 + late_s
        return self.detector.was_held_up()


def test_punctual_waits_are_not_held_up() -> None:
    waits = Waits()
    assert not any(waits.wait(late_s=HELD_UP_S / 2) for _ in range(50))


def test_after_a_wait_that_ended_too_late_there_is_time_to_catch_up() -> None:
    waits = Waits()
    assert waits.wait(late_s=5.0)
    held_up = [waits.wait() for _ in range(20)]
    assert held_up.index(False) * 0.05 <= CATCH_UP_S < (held_up.index(False) + 2) * 0.05
    assert not any(held_up[held_up.index(False) :])


def test_when_every_wait_ends_too_late_silence_is_still_judged_now_and_then() -> None:
    waits = Waits()
    held_up = [waits.wait(late_s=0.45) for _ in range(12)]
    assert held_up == [True, False] * 6


def test_process_that_is_stopped_while_it_catches_up_has_to_catch_up_again() -> None:
    waits = Waits()
    assert waits.wait(late_s=0.2)
    assert waits.wait(late_s=4.0)
    assert waits.wait()


async def test_a_timeout_that_is_due_while_the_process_is_held_up_reads_first_what_has_arrived() -> None:
    loop = asyncio.get_running_loop()
    reading, writing = socket.socketpair()

    def hold_up() -> None:
        writing.send(b"x")
        time.sleep(0.2)

    with reading, writing:
        reading.setblocking(False)
        loop.call_later(0.01, hold_up)
        async with timeout_after_reading(0.1):
            assert await loop.sock_recv(reading, 1) == b"x"
        with pytest.raises(TimeoutError):
            async with timeout_after_reading(0.01):
                await loop.sock_recv(reading, 1)
        async with timeout_after_reading(None):
            await asyncio.sleep(0.01)

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from hil.emulated.wakeup_timer import WakeupTimer


@pytest.fixture(params=["kernel", "loop"])
async def alarm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WakeupTimer]:
    if request.param == "loop":
        monkeypatch.setattr("hil.emulated.wakeup_timer._HAS_KERNEL_TIMER", False)
    alarm = WakeupTimer()
    yield alarm
    alarm.close()


async def test_nobody_is_woken_too_early_and_everybody_in_order(alarm: WakeupTimer) -> None:
    start_ns = time.monotonic_ns() + 200_000_000  # time to create the tasks: one that is already due does not wait
    woken: list[tuple[int, int]] = []

    async def wait(due_ns: int) -> None:
        await alarm.until(due_ns)
        woken.append((due_ns, time.monotonic_ns()))

    waits = [start_ns + (i * 37 % 100) * 1_000_000 for i in range(100)]
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        for due_ns in waits:
            tasks.create_task(wait(due_ns))
    assert [due_ns for due_ns, _ in woken] == sorted(waits)
    assert all(now_ns >= due_ns for due_ns, now_ns in woken)


async def test_time_that_has_passed_is_not_waited_for(alarm: WakeupTimer) -> None:
    async with asyncio.timeout(0):
        await alarm.until(time.monotonic_ns() - 1)


async def test_one_that_gives_up_leaves_the_others_waiting(alarm: WakeupTimer) -> None:
    due_ns = time.monotonic_ns() + 50_000_000
    other = asyncio.create_task(alarm.until(due_ns))
    first = asyncio.create_task(alarm.until(due_ns - 30_000_000))
    await asyncio.sleep(0)
    first.cancel()
    async with asyncio.timeout(5):
        await other
    assert time.monotonic_ns() >= due_ns

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator

import pytest

from hil.emulated.wakeup_timer import WakeupTimer
from tests.helpers.patience import PATIENCE_S


@pytest.fixture(params=[True, False], ids=["kernel", "loop"])
async def timer(request: pytest.FixtureRequest) -> AsyncIterator[WakeupTimer]:
    if request.param and sys.platform != "linux":
        pytest.skip("only Linux has timerfd")
    timer = WakeupTimer(kernel_timer=request.param)
    yield timer
    timer.close()


async def test_tasks_wake_in_order_and_never_early(timer: WakeupTimer) -> None:
    start_ns = time.monotonic_ns() + 200_000_000  # time to create the tasks: one that is already due does not wait
    woken: list[tuple[int, int]] = []

    async def wait(due_ns: int) -> None:
        await timer.wait_until(due_ns)
        woken.append((due_ns, time.monotonic_ns()))

    waits = [start_ns + (i * 37 % 100) * 1_000_000 for i in range(100)]
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        for due_ns in waits:
            tasks.create_task(wait(due_ns))
    assert [due_ns for due_ns, _ in woken] == sorted(waits)
    assert all(now_ns >= due_ns for due_ns, now_ns in woken)


async def test_passed_time_returns_without_yielding(timer: WakeupTimer) -> None:
    async with asyncio.timeout(0):
        await timer.wait_until(time.monotonic_ns() - 1)


async def test_cancelled_wait_does_not_affect_the_others(timer: WakeupTimer) -> None:
    due_ns = time.monotonic_ns() + 50_000_000
    other = asyncio.create_task(timer.wait_until(due_ns))
    first = asyncio.create_task(timer.wait_until(due_ns - 30_000_000))
    await asyncio.sleep(0)
    first.cancel()
    async with asyncio.timeout(PATIENCE_S):
        await other
    assert time.monotonic_ns() >= due_ns

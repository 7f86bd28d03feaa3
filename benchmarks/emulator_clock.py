"""Measure how late a process wakes up every 10 ms.

With the emulator's timer, the event loop's, and a sleeping thread. All three take turns of one second, so that a slow
moment of the machine affects all.

Run: python -m benchmarks.emulator_clock
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from hil.emulated.lateness import Lateness
from hil.emulated.wakeup_timer import WakeupTimer

ROUNDS = 10
WAKINGS = 100
STEP_NS = 10_000_000


async def wake(until: Callable[[int], Awaitable[object]], lateness: Lateness) -> None:
    start_ns = time.monotonic_ns() + STEP_NS
    for i in range(WAKINGS):
        due_ns = start_ns + i * STEP_NS + i * 7919 % 1000 * 1000  # at varying fractions of a millisecond
        await until(due_ns)
        lateness.add(time.monotonic_ns() - due_ns)


async def loop_timer(due_ns: int) -> None:
    loop = asyncio.get_running_loop()
    woken = loop.create_future()
    loop.call_at(due_ns / 1e9, woken.set_result, None)
    await woken


async def thread(due_ns: int) -> None:
    await asyncio.to_thread(time.sleep, max(0.0, (due_ns - time.monotonic_ns()) / 1e9))


async def blocking(due_ns: int) -> None:
    time.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))  # noqa: ASYNC251 - the best that the machine can do


async def compare() -> None:
    timer = WakeupTimer()
    ways = {
        "the emulator's timer": timer.wait_until,
        "the event loop's call_at": loop_timer,
        "a thread that sleeps": thread,
        "no event loop at all": blocking,
    }
    lateness = {name: Lateness() for name in ways}
    for _ in range(ROUNDS):
        for name, until in ways.items():
            await wake(until, lateness[name])
    timer.close()
    for name, counted in lateness.items():
        print(f"  {name:<28}{counted.figures()}")


def main() -> None:
    print(f"{ROUNDS * WAKINGS} wakings, 10 ms apart")
    asyncio.run(compare())


if __name__ == "__main__":
    main()

"""Blocking calls that never return keep neither the loop nor the process from ending."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from service.base.executor import AbandoningExecutor, run_abandonable
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT


def fail() -> None:
    raise ValueError("failed")


async def test_results_and_errors_of_calls_are_those_of_the_function() -> None:
    asyncio.get_running_loop().set_default_executor(AbandoningExecutor())
    assert await asyncio.gather(*(asyncio.to_thread(pow, 2, n) for n in range(100))) == [2**n for n in range(100)]
    with pytest.raises(ValueError, match="failed"):
        await asyncio.to_thread(fail)


def test_only_so_many_calls_run_at_once_and_all_of_them_run() -> None:
    executor = AbandoningExecutor(max_threads=3)
    lock, running, most = threading.Lock(), 0, 0

    def call() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1

    for future in [executor.submit(call) for _ in range(40)]:
        future.result(PATIENCE_S)
    assert 1 <= most <= 3
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(call)


def test_shutdown_waits_for_a_call_that_returns_in_time() -> None:
    executor = AbandoningExecutor(stop_s=20)
    begun, finished = threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        time.sleep(0.02)
        finished.set()

    executor.submit(call)
    assert begun.wait(PATIENCE_S)
    executor.shutdown()
    assert finished.is_set()


HANGING = """
import asyncio, threading
from service.cli.event_loop import run_on_loop

async def work():
    for _ in range(10):
        asyncio.ensure_future(asyncio.to_thread(threading.Event().wait))
    await asyncio.sleep(0.1)
    print("ended", flush=True)

run_on_loop(work())
"""


def test_process_ends_although_calls_never_return() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "ended\n"), ended.stderr


def test_the_end_of_the_loop_does_not_wait_for_a_call_that_may_be_abandoned() -> None:
    began, may_return = threading.Event(), threading.Event()

    def call() -> None:
        began.set()
        may_return.wait()

    async def abandon() -> None:
        task = asyncio.create_task(run_abandonable(call))
        await asyncio.to_thread(began.wait)
        task.cancel()
        await asyncio.wait({task})

    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(AbandoningExecutor(stop_s=3600))
        runner.run(abandon())
    may_return.set()


async def test_result_of_a_call_that_may_be_abandoned_is_returned() -> None:
    assert await run_abandonable(lambda: threading.current_thread() is not threading.main_thread())

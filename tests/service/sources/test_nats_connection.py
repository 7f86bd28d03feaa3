from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from service.sources.nats_connection import NatsProblemError, problems_of


async def wait_and_swallow() -> None:
    """Return when cancelled, as ``asyncio.wait_for`` of Python 3.11 may if the result arrives at the same moment."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()


async def test_cancellation_that_the_client_swallows_ends_the_task() -> None:
    async def request_again_and_again() -> None:
        while True:
            async with problems_of("request", within_s=60):
                await wait_and_swallow()

    task = asyncio.create_task(request_again_and_again())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_cancellation_during_an_error_ends_the_task() -> None:
    async def request() -> None:
        with suppress(NatsProblemError):
            async with problems_of("request", within_s=60):
                await wait_and_swallow()
                raise OSError("the connection was lost")
        await asyncio.Event().wait()

    task = asyncio.create_task(request())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_request_without_an_answer_in_time_is_a_problem() -> None:
    with pytest.raises(NatsProblemError, match="request: no answer in time"):
        async with problems_of("request", within_s=0.01):
            await asyncio.Event().wait()


async def test_request_may_be_made_while_a_cancellation_is_handled() -> None:
    done = False

    async def leave() -> None:
        nonlocal done
        try:
            await asyncio.Event().wait()
        finally:
            async with problems_of("request", within_s=60):
                await asyncio.sleep(0)
            done = True

    task = asyncio.create_task(leave())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert done

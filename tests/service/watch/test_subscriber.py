"""``stinger watch`` against brokers that do not let it read."""

from __future__ import annotations

import asyncio

import pytest

from service.config.broker_address import BrokerAddress
from service.watch.subscriber import watch
from tests.helpers.brokers import scripted_broker
from tests.helpers.patience import PATIENCE_S

ACCEPTED = b" \x03\x00\x00\x00"
FORBIDDEN = b"\x90\x05\x00\x01\x00\x87\x87"
"""The answer to the first subscription, to two filters: not authorized."""


async def test_a_broker_that_refuses_the_subscription_is_shown_with_its_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stop = asyncio.Event()
    shown = ""
    async with scripted_broker(ACCEPTED, FORBIDDEN, None) as (port, _):
        task = asyncio.create_task(watch(BrokerAddress("127.0.0.1", port), None, stop=stop))
        async with asyncio.timeout(PATIENCE_S):
            while "refuses a subscription: Not authorized (0x87)" not in shown:
                await asyncio.sleep(0.02)
                shown += capsys.readouterr().out
        stop.set()
        await task

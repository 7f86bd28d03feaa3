"""Fixtures for tests over MQTT: an outbox, each kind of connection, and a running link."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.mqtt.broker_link import BrokerLink
from service.mqtt.outbox import Outbox
from tests.helpers.patience import PATIENCE_S
from tests.service.mqtt.connections import AIOMQTT, GMQTT, Kind


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db") as box:
        yield box


@pytest.fixture(params=[pytest.param(AIOMQTT, id="aiomqtt"), pytest.param(GMQTT, id="gmqtt")])
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@asynccontextmanager
async def running(link: BrokerLink, *, within_s: float = 2.0) -> AsyncIterator[BrokerLink]:
    """Run ``link`` while the context lasts, then stop it in an orderly way."""
    task = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        link.stop(within_s)
        async with asyncio.timeout(PATIENCE_S):
            await task

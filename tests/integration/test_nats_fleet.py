"""Daemons of one group as processes, killed and suspended, with real NATS servers. Quick tests: test_nats_source.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.sources.nats_leases import LEASE_S
from tests.helpers.brokers import Mosquitto, subscriber
from tests.helpers.fleet import (
    AckedBlasters,
    FleetDaemon,
    double_owners,
    entries_of,
    fleet_daemons,
    scored,
    sent_by_former_owners,
    trigger_edges,
)
from tests.helpers.nats_servers import PARTITIONS, NatsServer, nats_cluster, nats_server
from tests.helpers.patience import PATIENCE_S

BLASTERS = 6


def url_of(*servers: NatsServer, partitions: int = PARTITIONS) -> str:
    names = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    return f"nats://{names}?stream=SAMPLES&partitions={partitions}&group=hall&replicas={len(servers)}"


@asynccontextmanager
async def publishing(servers: list[NatsServer]) -> AsyncIterator[AckedBlasters]:
    """Publish as blasters while the context lasts."""
    blasters, stop = AckedBlasters(BLASTERS, seconds=60), asyncio.Event()
    task = asyncio.create_task(blasters.publish([f"nats://127.0.0.1:{server.port}" for server in servers], stop))
    try:
        yield blasters
    finally:
        stop.set()
        await task


async def until_scored(daemons: list[FleetDaemon], last_ms: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = scored(entries_of(daemons))
            if len(found) == BLASTERS and all(last_ms in times for times in found.values()):
                return
            await asyncio.sleep(0.1)


def check(daemons: list[FleetDaemon], last_ms: int) -> None:
    """Check that every sample is scored, and that no two daemons held a partition at once."""
    entries = entries_of(daemons)
    wanted = set(range(1000, last_ms + 10, 10))
    assert {name: sorted(wanted - times)[:3] for name, times in scored(entries).items() if wanted - times} == {}
    assert double_owners(entries, LEASE_S) == 0
    assert sent_by_former_owners(entries, PARTITIONS) == 0


@pytest.mark.slow
async def test_killed_daemon_leaves_no_sample_without_a_score_and_no_shot_behind(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    try:
        with (
            nats_server(tmp_path / "nats") as server,
            fleet_daemons(tmp_path, url_of(server), f"mqtt://127.0.0.1:{broker.port}", 2) as daemons,
        ):
            async with subscriber(broker.port, "stinger/+/shot") as heard:
                async with publishing([server]) as blasters:
                    await asyncio.sleep(12)
                    daemons[0].kill()
                    await asyncio.sleep(5)
                await until_scored(daemons, blasters.last_ms)
                shots = {(name, at) for name in blasters.names for at in trigger_edges(blasters.last_ms)}
                assert shots

                def delivered() -> set[tuple[str, int]]:
                    contents = [json.loads(message.payload) for message in heard.messages]
                    return {(content["device"], content["device_ms"]) for content in contents}

                await heard.until(lambda: shots <= delivered())
                ids = {
                    (content["device"], content["device_ms"], content["id"])
                    for content in (json.loads(message.payload) for message in heard.messages)
                }
                assert len(ids) == len(delivered())
            check(daemons, blasters.last_ms)
    finally:
        broker.kill()


@pytest.mark.slow
async def test_suspended_daemon_sends_nothing_when_it_continues(tmp_path: Path) -> None:
    with (
        nats_server(tmp_path / "nats") as server,
        fleet_daemons(tmp_path, url_of(server), f"mqtt://127.0.0.1:{server.mqtt_port}", 2) as daemons,
    ):
        async with publishing([server]) as blasters:
            await asyncio.sleep(4)
            await asyncio.to_thread(daemons[0].suspend, 5)
            await asyncio.sleep(4)
        await until_scored(daemons, blasters.last_ms)
        check(daemons, blasters.last_ms)


@pytest.mark.slow
async def test_server_of_three_that_is_killed_costs_no_sample(tmp_path: Path) -> None:
    with nats_cluster(tmp_path / "nats") as servers:
        broker = Mosquitto(tmp_path / "mosquitto")
        broker.start()
        try:
            with fleet_daemons(tmp_path, url_of(*servers), f"mqtt://127.0.0.1:{broker.port}", 2) as daemons:
                async with publishing(list(servers)) as blasters:
                    await asyncio.sleep(4)
                    servers[0].kill()
                    await asyncio.sleep(4)
                    await asyncio.to_thread(servers[0].start)
                    await asyncio.sleep(8)
                await until_scored(daemons, blasters.last_ms)
                check(daemons, blasters.last_ms)
        finally:
            broker.kill()


def test_daemon_with_another_number_of_partitions_ends_with_one_line(tmp_path: Path) -> None:
    with nats_server(tmp_path / "nats") as server:
        broker = f"mqtt://127.0.0.1:{server.mqtt_port}"
        with fleet_daemons(tmp_path, url_of(server), broker, 1):
            other = FleetDaemon(tmp_path, url_of(server, partitions=8), broker, "other")
            process = other.start()
            assert process.end() == 2
            (line,) = [line for line in process.log_text().splitlines() if line.startswith("Error")]
            assert "group hall has partitions = 4, not 8: give all its daemons the same" in line
            assert "Traceback" not in process.log_text()

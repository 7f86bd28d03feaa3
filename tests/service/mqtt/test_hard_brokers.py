"""Brokers that refuse, stay silent, are slow or speak an older MQTT; and daemons that are killed."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from service.config.broker_address import BrokerAddress
from service.mqtt.broker_link import BrokerLink
from service.mqtt.connection_settings import ConnectionTimes
from service.mqtt.embedded_broker import EmbeddedBroker
from service.mqtt.messages import event_message
from service.mqtt.outbox import Outbox
from tests.helpers.broker_addresses import address_of
from tests.helpers.brokers import Mosquitto, protocol_level, relay, scripted_broker, subscriber, until
from tests.helpers.events import shot
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT
from tests.service.mqtt.conftest import running

CONNACK_OLD_PROTOCOL = b"\x20\x02\x00\x01"


async def test_a_broker_that_ignores_version_5_is_connected_to_in_3_1_1(
    outbox: Outbox,
) -> None:
    pytest.importorskip("amqtt", reason="the broker that only speaks 3.1.1")
    # It takes the will of version 5 for something longer, and waits in silence for the rest.
    async with EmbeddedBroker(0) as broker:
        link = BrokerLink(
            BrokerAddress("127.0.0.1", broker.port),
            outbox,
            version="1",
            connection_times=ConnectionTimes(connect_s=1.0),
        )
        async with running(link), subscriber(broker.port, "stinger/b1/shot") as heard:
            link.publisher.put(event_message(shot()))
            await heard.until(lambda: len(heard.messages) == 1)
            assert link.protocol == "3.1.1"


@pytest.mark.parametrize(
    ("answer", "connect_s"),
    [
        (CONNACK_OLD_PROTOCOL, PATIENCE_S),
        (b"\x20\x03\x00\x84\x00", PATIENCE_S),
        (b"\x20\x03\x00\x88\x00", PATIENCE_S),
        (b"HTTP/1.1 400\r\n\r\n", 1.0),  # the beginning of a packet that is never complete
    ],
)
async def test_a_broker_that_refuses_is_tried_in_both_versions_with_one_warning(
    outbox: Outbox, answer: bytes, connect_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted_broker(answer) as (port, received):
        link = BrokerLink(
            BrokerAddress("127.0.0.1", port), outbox, version="1", connection_times=ConnectionTimes(connect_s=connect_s)
        )
        async with running(link):
            await until(lambda: len(received) >= 3)
    assert [protocol_level(connect) for connect in received[:3]] == [5, 4, 5]
    assert [record.levelno for record in caplog.records if record.levelno > logging.INFO] == [logging.WARNING]
    assert link.reconnects == 0


async def test_a_silent_broker_does_not_delay_a_stop_or_leave_a_socket_open(outbox: Outbox) -> None:
    async with scripted_broker() as (port, received):
        link = BrokerLink(BrokerAddress("127.0.0.1", port), outbox, version="1")
        task = asyncio.create_task(link.run())
        await until(lambda: bool(received))
        link.stop(1.0)
        async with asyncio.timeout(PATIENCE_S):
            await task


async def test_a_silent_broker_does_not_delay_a_stop_with_tls(outbox: Outbox) -> None:
    async with scripted_broker() as (port, received):
        link = BrokerLink(address_of(f"mqtts://127.0.0.1:{port}"), outbox, version="1")
        task = asyncio.create_task(link.run())
        await until(lambda: bool(received))
        link.stop(1.0)
        async with asyncio.timeout(PATIENCE_S):
            await task


async def test_a_broker_that_is_slow_to_acknowledge_gets_everything_in_order(
    mosquitto: Mosquitto, outbox: Outbox
) -> None:
    async with relay(mosquitto.port, delay_s=0.05) as port:
        link = BrokerLink(BrokerAddress("127.0.0.1", port), outbox, version="1")
        async with running(link), subscriber(mosquitto.port, "stinger/b1/shot") as heard:
            events = [shot(device_ms=n) for n in range(100)]
            for event in events:
                link.publisher.put(event_message(event))
            await heard.until(lambda: len(heard.messages) == 100)
            assert [json.loads(m.payload)["id"] for m in heard.messages] == [event.id for event in events]


async def test_a_broker_that_falls_silent_does_not_delay_a_stop_and_no_event_is_lost(
    mosquitto: Mosquitto, outbox: Outbox
) -> None:
    link = BrokerLink(BrokerAddress("127.0.0.1", mosquitto.port), outbox, version="1")
    task = asyncio.create_task(link.run())
    await until(lambda: link.connected)
    assert mosquitto.process is not None
    mosquitto.process.send_signal(signal.SIGSTOP)
    for _ in range(30):
        link.publisher.put(event_message(shot()))
    link.stop(0.5)
    async with asyncio.timeout(PATIENCE_S):
        await task
    assert outbox.depth == 30


async def test_a_killed_daemon_becomes_offline_and_the_next_one_delivers_its_events(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    path = tmp_path / "outbox.db"
    script = f"""
import asyncio, itertools
from service.mqtt.broker_link import BrokerLink
from service.config.broker_address import BrokerAddress
from service.mqtt.messages import event_message
from service.mqtt.outbox import Outbox
from tests.helpers.events import shot

async def main():
    link = BrokerLink(BrokerAddress("127.0.0.1", {mosquitto.port}), Outbox({str(path)!r}), version="1")
    task = asyncio.create_task(link.run())
    while not link.connected:
        await asyncio.sleep(0.01)
    for n in itertools.count():
        event = shot(device_ms=n)
        link.publisher.put(event_message(event))
        print(event.id, flush=True)
        await asyncio.sleep(0.0005)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with subscriber(mosquitto.port, "stinger/#") as heard:
        async with asyncio.timeout(PATIENCE_S):
            lines = [await process.stdout.readline() for _ in range(300)]
            process.send_signal(signal.SIGKILL)
            lines += (await process.stdout.read()).splitlines(keepends=True)
            await process.wait()
        put = {line.strip().decode() for line in lines if line.endswith(b"\n")}

        def last_status() -> dict[str, Any]:
            status: dict[str, Any] = json.loads(heard.on("stinger/daemon/status")[-1].payload)
            return status

        await heard.until(lambda: bool(heard.on("stinger/daemon/status")) and last_status()["state"] == "offline")
        assert last_status()["reason"] == "lost"
        with Outbox(path) as outbox:
            link = BrokerLink(BrokerAddress("127.0.0.1", mosquitto.port), outbox, version="1")
            async with running(link):
                await until(lambda: link.connected and link.depth == 0)
                await heard.until(lambda: put <= {json.loads(m.payload)["id"] for m in heard.on("stinger/b1/shot")})

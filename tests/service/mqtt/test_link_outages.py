"""The link while its broker is stopped, killed, started again or missing: what is delivered then."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from service.base.source import LinkState
from service.mqtt.messages import event_message, link_message, telemetry_message
from service.mqtt.outbox import Outbox
from tests.helpers.brokers import Mosquitto, free_port, relay, subscriber, until
from tests.helpers.events import NOW_S, link_report, shot, spin_up, telemetry
from tests.helpers.patience import PATIENCE_S
from tests.service.mqtt.broker_links import SHOT, STATUS, ids, lasting_subscriber, make_link, state
from tests.service.mqtt.conftest import running


async def test_messages_put_before_the_broker_could_be_reached_arrive_in_order(
    mosquitto: Mosquitto, outbox: Outbox
) -> None:
    port = free_port()
    events = [shot(device_ms=n) for n in range(100)]
    async with running(make_link(port, outbox)) as link:
        for event in events:
            link.publisher.put(event_message(event))
        await asyncio.sleep(0.1)
        async with subscriber(mosquitto.port, SHOT) as heard, relay(mosquitto.port, port=port):
            await heard.until(lambda: len(heard.messages) >= 100)
            assert ids(heard.messages) == [event.id for event in events]


async def test_no_event_is_lost_while_the_broker_is_stopped_and_started(tmp_path: Path, outbox: Outbox) -> None:
    # It keeps what it has acknowledged over a stop, for a subscriber that is known to it.
    keeping = f"allow_anonymous true\npersistence true\npersistence_location {tmp_path}/\nmax_queued_messages 0"
    broker = Mosquitto(tmp_path / "keeping", keeping)
    broker.start()
    sent: list[str] = []
    heard_ids: list[str] = []
    try:
        async with running(make_link(broker.port, outbox)) as link:
            for _ in range(3):
                async with lasting_subscriber(broker.port) as heard:
                    await until(lambda: link.connected)
                    for n in range(100):
                        event = shot(device_ms=n)
                        sent.append(event.id)
                        link.publisher.put(event_message(event))
                        if n == 50:
                            await heard.until(lambda: len(heard.messages) >= 20)
                            broker.stop()
                    await until(lambda: heard.ended and not link.connected)
                    heard_ids += ids(heard.messages)
                broker.start()
            async with lasting_subscriber(broker.port) as heard:
                await until(lambda: link.connected and link.depth == 0)
                missing = set(sent) - set(heard_ids)
                await heard.until(lambda: missing <= set(ids(heard.messages)))
                assert link.reconnects == 3
    finally:
        broker.kill()


async def test_events_that_a_killed_broker_did_not_acknowledge_are_sent_again(
    mosquitto: Mosquitto, outbox: Outbox
) -> None:
    port = free_port()
    events = [shot(device_ms=n) for n in range(50)]
    async with running(make_link(port, outbox)) as link:
        async with relay(mosquitto.port, port=port):
            await until(lambda: link.connected)
            mosquitto.kill()
            for event in events:
                link.publisher.put(event_message(event))
            await until(lambda: not link.connected)
        mosquitto.start()
        async with subscriber(mosquitto.port, SHOT) as heard, relay(mosquitto.port, port=port):
            await heard.until(lambda: len(heard.messages) == 50)
            assert ids(heard.messages) == [event.id for event in events]


async def test_after_a_reconnect_states_are_published_again_and_only_the_newest_telemetry(
    mosquitto: Mosquitto, outbox: Outbox
) -> None:
    async with running(make_link(mosquitto.port, outbox)) as link:
        await until(lambda: link.connected)
        link.publisher.put(link_message(link_report(), NOW_S))
        link.publisher.put(event_message(spin_up(on=False)))
        await until(lambda: link.depth == 0)
        mosquitto.kill()
        await until(lambda: not link.connected)
        for n in range(10):
            link.publisher.put(telemetry_message(telemetry(probability=n / 10)))
        link.publisher.put(link_message(link_report(state=LinkState.SILENT), NOW_S))
        mosquitto.start()
        async with subscriber(mosquitto.port) as heard:
            expected = {"stinger/b1/link", "stinger/b1/spinup", STATUS}
            await heard.until(lambda: {m.topic.value for m in heard.messages} >= expected)
            assert state(heard.on("stinger/b1/link")[-1]) == "silent"
            assert len(heard.on("stinger/b1/spinup")) == 1
            assert state(heard.on(STATUS)[-1]) == "online"
            for message in heard.on("stinger/b1/telemetry"):
                assert json.loads(message.payload)["probability"] == 0.9


async def test_a_stop_without_a_broker_is_quick_and_keeps_what_was_not_delivered(tmp_path: Path) -> None:
    port = free_port()
    with Outbox(tmp_path / "outbox.db") as outbox:
        link = make_link(port, outbox)
        task = asyncio.create_task(link.run())
        link.publisher.put(event_message(shot()))
        await asyncio.sleep(0.05)
        link.stop(60.0)
        async with asyncio.timeout(PATIENCE_S):
            await task
    with Outbox(tmp_path / "outbox.db") as outbox:
        assert outbox.depth == 1

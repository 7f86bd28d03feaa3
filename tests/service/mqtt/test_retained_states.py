"""States that an earlier run left at the broker are corrected; those of this run and of other programs are left alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from service.base.source import LinkState
from service.config.broker_address import BrokerAddress
from service.mqtt import channels
from service.mqtt.broker_link import BrokerLink
from service.mqtt.broker_state import BrokerLinkTimes
from service.mqtt.messages import event_message, link_message
from service.mqtt.outbox import Outbox
from stinger.device_name import DeviceName
from tests.helpers.brokers import Mosquitto, retained_messages, subscriber, until
from tests.helpers.events import NOW_S, link_report, spin_up
from tests.helpers.patience import mqtt_client
from tests.service.mqtt.conftest import running

SOON = BrokerLinkTimes(states_s=0.3)
B1 = DeviceName("b1")


def link_to(port: int, outbox: Outbox, served: Collection[DeviceName] = ()) -> BrokerLink:
    return BrokerLink(BrokerAddress("127.0.0.1", port), outbox, version="1", served=lambda: served, times=SOON)


async def retain(port: int, topic: str, payload: bytes) -> None:
    async with mqtt_client(port) as client:
        await client.publish(topic, payload, 1, retain=True)


async def leave_states(port: int, outbox: Outbox) -> None:
    """Leave wheels that are on and a link that streams, as a daemon that is killed does."""
    async with running(BrokerLink(BrokerAddress("127.0.0.1", port), outbox, version="1")) as link:
        link.publisher.put(event_message(spin_up()))
        link.publisher.put(link_message(link_report(), NOW_S))
        await until(lambda: link.connected and link.depth == 0)


async def retained(port: int) -> dict[str, Any]:
    """The retained messages below ``stinger/``, by topic; text that is not JSON as bytes."""
    found: dict[str, Any] = {}
    for message in await retained_messages(port, "stinger/#"):
        assert isinstance(message.payload, bytes)
        try:
            found[message.topic.value] = json.loads(message.payload)
        except (ValueError, RecursionError):
            found[message.topic.value] = message.payload
    return found


async def has_state(port: int, topic: str, state: str) -> None:
    async with subscriber(port, topic) as heard:
        await heard.until(lambda: any(json.loads(message.payload)["state"] == state for message in heard.messages))


async def test_states_of_a_device_that_is_gone_are_corrected(mosquitto: Mosquitto, outbox: Outbox) -> None:
    await leave_states(mosquitto.port, outbox)
    async with running(link_to(mosquitto.port, outbox)):
        await has_state(mosquitto.port, "stinger/b1/spinup", "off")
        await has_state(mosquitto.port, "stinger/b1/link", "ended")
    states = await retained(mosquitto.port)
    jsonschema.validate(states["stinger/b1/spinup"], channels.schema("spinup"))
    jsonschema.validate(states["stinger/b1/link"], channels.schema("link"))
    assert states["stinger/b1/spinup"]["with_shot"] is None


async def test_the_link_of_a_served_device_that_has_not_been_reached_is_connecting(
    mosquitto: Mosquitto, outbox: Outbox
) -> None:
    await leave_states(mosquitto.port, outbox)
    async with running(link_to(mosquitto.port, outbox, [B1])):
        await has_state(mosquitto.port, "stinger/b1/link", "connecting")
        await has_state(mosquitto.port, "stinger/b1/spinup", "off")


async def test_states_that_this_run_has_published_are_left_alone(mosquitto: Mosquitto, outbox: Outbox) -> None:
    await leave_states(mosquitto.port, outbox)
    link = link_to(mosquitto.port, outbox, [B1])
    on = event_message(spin_up())
    link.publisher.put(on)
    link.publisher.put(link_message(link_report(), NOW_S))
    async with running(link):
        await until(lambda: link.connected and link.depth == 0)
        await asyncio.sleep(3 * SOON.states_s)
        states = await retained(mosquitto.port)
    assert states["stinger/b1/spinup"] == json.loads(on.payload)
    assert states["stinger/b1/link"]["state"] == "streaming"


@pytest.mark.parametrize("state", list(LinkState))
async def test_every_state_of_a_link_that_is_not_served_becomes_ended(
    mosquitto: Mosquitto, outbox: Outbox, state: LinkState
) -> None:
    await retain(mosquitto.port, "stinger/b1/link", link_message(link_report(state=state), NOW_S).payload)
    async with running(link_to(mosquitto.port, outbox)):
        await has_state(mosquitto.port, "stinger/b1/link", "ended")


FOREIGN = {
    "stinger/b1/spinup": b"on",
    "stinger/b2/spinup": b'{"state":"on"}',
    "stinger/b3/spinup": b'{"state":"on","device":"b4"}',
    "stinger/b5/link": b"\xff\xfe",
    "stinger/b6/link": b'{"state":["streaming"],"device":"b6"}',
    "stinger/b7/link": b"[" * 100_000,
    "stinger/\N{SNOWMAN}/link": b'{"state":"streaming","device":"\xe2\x98\x83"}',
    "stinger/daemon/link": b'{"state":"streaming","device":"daemon"}',
    "stinger/a b/spinup": b'{"state":"on","device":"a b"}',
    "stinger//spinup": b'{"state":"on","device":""}',
    "stinger/b8/other": b'{"state":"on","device":"b8"}',
}


async def test_retained_messages_that_are_not_the_daemons_are_left_alone(mosquitto: Mosquitto, outbox: Outbox) -> None:
    for topic, payload in FOREIGN.items():
        await retain(mosquitto.port, topic, payload)
    before = await retained(mosquitto.port)
    async with running(link_to(mosquitto.port, outbox)) as link:
        await until(lambda: link.connected)
        await asyncio.sleep(3 * SOON.states_s)
    after = await retained(mosquitto.port)
    del after["stinger/daemon/status"]
    assert after == before
    assert len(after) == len(FOREIGN)


async def test_a_retained_spin_up_with_wrong_values_is_corrected(mosquitto: Mosquitto, outbox: Outbox) -> None:
    await retain(mosquitto.port, "stinger/b1/spinup", b'{"state":"on","device":"b1","device_ms":-1,"model":7}')
    async with running(link_to(mosquitto.port, outbox)):
        await has_state(mosquitto.port, "stinger/b1/spinup", "off")


async def test_a_spin_up_that_waits_from_an_earlier_run_is_ended_after_it(mosquitto: Mosquitto, tmp_path: Path) -> None:
    path = tmp_path / "waiting.db"
    with Outbox(path) as outbox:
        outbox.put(event_message(spin_up()))
    with Outbox(path) as outbox:
        async with subscriber(mosquitto.port, "stinger/b1/spinup") as heard, running(link_to(mosquitto.port, outbox)):
            await heard.until(lambda: len(heard.messages) == 2)
            assert [json.loads(message.payload)["state"] for message in heard.messages] == ["on", "off"]


async def test_states_are_not_followed_after_they_were_corrected(mosquitto: Mosquitto, outbox: Outbox) -> None:
    async with running(link_to(mosquitto.port, outbox)) as link:
        await until(lambda: link.connected)
        await asyncio.sleep(3 * SOON.states_s)
        await retain(mosquitto.port, "stinger/b1/link", link_message(link_report(), NOW_S).payload)
        await asyncio.sleep(0.3)
        assert (await retained(mosquitto.port))["stinger/b1/link"]["state"] == "streaming"

"""Daemons with different topic roots share a broker without a common topic; a changed root is cleaned up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot, parse_topic_root
from service.mqtt.broker_link import BrokerLink
from service.mqtt.commands import Command
from service.mqtt.discovery import discovery_message
from service.mqtt.forgetting import forget
from service.mqtt.messages import event_message, link_message
from service.mqtt.outbox import Outbox
from service.mqtt.root_change import RootChange
from service.mqtt.sample_subscription import SampleSubscription
from stinger.device_name import DeviceName
from stinger.errors import InputError
from tests.helpers.brokers import Mosquitto, retained_messages, subscriber, until
from tests.helpers.cli import run_stinger
from tests.helpers.events import NOW_S, link_report, one_message_of_each_kind, spin_up
from tests.helpers.patience import PATIENCE_S
from tests.service.mqtt.conftest import running

EAST = parse_topic_root("halls/east")
B1 = DeviceName("b1")


def link_to(port: int, outbox: Outbox, root: TopicRoot | None = None, **more: Any) -> BrokerLink:
    return BrokerLink(BrokerAddress("127.0.0.1", port), outbox, version="1", root=root, **more)


async def retained_topics(port: int) -> set[str]:
    return {message.topic.value for message in await retained_messages(port)}


async def leave_states(port: int, folder: Path, root: TopicRoot | None = None) -> None:
    """Publish the states of a device, and stop."""
    with Outbox(folder / "left.db") as outbox:
        async with running(link_to(port, outbox, root)) as link:
            link.publisher.put(event_message(spin_up()))
            link.publisher.put(link_message(link_report(), NOW_S))
            link.publisher.put(discovery_message(B1, "1", root))
            await until(lambda: link.connected and link.depth == 0)


@pytest.mark.parametrize(
    "text", ["", "/", "a//b", "a/", "/a", "a+", "#", "a b", "$SYS", "a_b", "x" * 129, "homeassistant/x"]
)
def test_a_root_that_no_topic_can_begin_with_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_topic_root(text)


async def test_every_topic_is_below_the_root_also_in_discovery_and_the_will(
    mosquitto: Mosquitto, outbox: Outbox
) -> None:
    async with subscriber(mosquitto.port) as heard:
        link = link_to(mosquitto.port, outbox, EAST)
        task = asyncio.create_task(link.run())
        await until(lambda: link.connected)
        messages = one_message_of_each_kind() | {"discovery": discovery_message(B1, "1", EAST)}
        for message in messages.values():
            link.publisher.put(message)
        await heard.until(lambda: len({message.topic.value for message in heard.messages}) >= len(messages))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        topics = {message.topic.value for message in heard.messages}
    assert {topic for topic in topics if not topic.startswith("halls/east/")} == {
        "homeassistant/device/halls-east_b1/config"
    }
    (discovery,) = heard.on("homeassistant/device/halls-east_b1/config")
    assert b'"stinger/' not in bytes(discovery.payload)
    availability = json.loads(discovery.payload)["availability"]
    assert availability[0]["topic"] == "halls/east/daemon/status"


async def test_two_daemons_on_one_broker_have_their_own_status_and_commands(
    mosquitto: Mosquitto, outbox: Outbox, tmp_path: Path
) -> None:
    received: list[str] = []

    def executing(name: str) -> Any:
        async def execute(_command: Command) -> Mapping[str, Any]:
            received.append(name)
            return {}

        return execute

    with Outbox(tmp_path / "other.db") as other_outbox:
        async with (
            subscriber(mosquitto.port) as heard,
            running(link_to(mosquitto.port, outbox, on_command=executing("stinger"))) as first,
        ):
            async with running(link_to(mosquitto.port, other_outbox, EAST, on_command=executing("east"))) as second:
                await until(lambda: first.connected and second.connected)
                assert heard.client is not None
                await heard.client.publish("halls/east/daemon/command/start_recording", b"", 1)
                await heard.until(lambda: bool(heard.on("halls/east/daemon/command/start_recording/response")))
            await heard.until(lambda: len(heard.on("halls/east/daemon/status")) == 2)
            states = [json.loads(message.payload)["state"] for message in heard.on("stinger/daemon/status")]
            assert states == ["online"]
    assert received == ["east"]


async def test_samples_are_received_below_the_root(mosquitto: Mosquitto) -> None:
    subscribe = SampleSubscription(BrokerAddress("127.0.0.1", mosquitto.port), root=EAST)
    async with subscribe() as messages, subscriber(mosquitto.port, "nothing") as other:
        assert other.client is not None
        await other.client.publish("stinger/b1/samples", b"not these", 1)
        await other.client.publish("halls/east/b1/samples", b"these", 1)
        message = await anext(messages)
    assert (message.topic, message.payload) == ("stinger/b1/samples", b"these")


async def test_forgetting_a_device_clears_its_topics_and_its_discovery_only(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    await leave_states(mosquitto.port, tmp_path)
    await leave_states(mosquitto.port, tmp_path, EAST)
    before = await retained_topics(mosquitto.port)
    forgotten = await forget(BrokerAddress("127.0.0.1", mosquitto.port), EAST, [B1], quiet_s=0.3)
    assert (forgotten.devices, forgotten.in_use) == (("b1",), ())
    assert before - await retained_topics(mosquitto.port) == {
        "halls/east/b1/spinup",
        "halls/east/b1/link",
        "homeassistant/device/halls-east_b1/config",
    }


async def test_a_device_that_a_daemon_serves_is_not_forgotten(mosquitto: Mosquitto, outbox: Outbox) -> None:
    async with running(link_to(mosquitto.port, outbox)) as link:
        link.publisher.put(link_message(link_report(), NOW_S))
        await until(lambda: link.connected)
        await link.publisher.drain(PATIENCE_S)
        before = await retained_topics(mosquitto.port)
        forgotten = await forget(BrokerAddress("127.0.0.1", mosquitto.port), TopicRoot(), None, quiet_s=0.3)
        assert (forgotten.devices, forgotten.in_use, forgotten.online) == ((), ("b1",), True)
        assert await retained_topics(mosquitto.port) == before


async def test_a_changed_root_clears_the_topics_below_the_old_one(mosquitto: Mosquitto, tmp_path: Path) -> None:
    address = BrokerAddress("127.0.0.1", mosquitto.port)
    await RootChange(tmp_path, TopicRoot(), used_before=False).clear_old(address)
    await leave_states(mosquitto.port, tmp_path)
    await RootChange(tmp_path, TopicRoot(), used_before=True).clear_old(address)
    assert "stinger/b1/link" in await retained_topics(mosquitto.port)
    await RootChange(tmp_path, EAST, used_before=True).clear_old(address)
    assert await retained_topics(mosquitto.port) == set()
    await leave_states(mosquitto.port, tmp_path)  # those of another daemon now
    await RootChange(tmp_path, EAST, used_before=True).clear_old(address)
    assert "stinger/b1/link" in await retained_topics(mosquitto.port)


async def test_a_changed_root_leaves_another_daemon_below_the_old_one_alone(
    mosquitto: Mosquitto, outbox: Outbox, tmp_path: Path
) -> None:
    async with running(link_to(mosquitto.port, outbox)) as other:
        other.publisher.put(link_message(link_report("b2"), NOW_S))
        await until(lambda: other.connected)
        await other.publisher.drain(PATIENCE_S)
        before = await retained_topics(mosquitto.port)
        await RootChange(tmp_path, EAST, used_before=True).clear_old(BrokerAddress("127.0.0.1", mosquitto.port))
        assert await retained_topics(mosquitto.port) == before


async def test_a_broker_that_is_away_has_the_old_root_cleared_by_the_next_start(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    await leave_states(mosquitto.port, tmp_path)
    await RootChange(tmp_path, EAST, used_before=True).clear_old(BrokerAddress("127.0.0.1", 1))
    await RootChange(tmp_path, EAST, used_before=True).clear_old(BrokerAddress("127.0.0.1", mosquitto.port))
    assert await retained_topics(mosquitto.port) == set()


async def test_the_command_forgets_devices_by_name(mosquitto: Mosquitto, tmp_path: Path) -> None:
    await leave_states(mosquitto.port, tmp_path)
    broker = ("--broker", f"mqtt://127.0.0.1:{mosquitto.port}", "--data-dir", str(tmp_path))
    result = await asyncio.to_thread(run_stinger, "forget", "b1", "b2", *broker)
    assert (result.returncode, result.stdout) == (0, "forgotten: b1\nnothing retained about b2\n"), result.stderr
    assert await retained_topics(mosquitto.port) == {"stinger/daemon/status"}
    result = await asyncio.to_thread(run_stinger, "forget", "--all", *broker)
    assert (result.returncode, result.stdout) == (0, "nothing to forget\n")
    assert await retained_topics(mosquitto.port) == set()


@pytest.mark.parametrize("arguments", [(), ("b1", "--all"), ("b 1",), ("b1", "--topic-root", "a+")])
def test_the_command_refuses_wrong_arguments_in_one_line(arguments: tuple[str, ...]) -> None:
    result = run_stinger("forget", *arguments)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)

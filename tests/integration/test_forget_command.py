"""The command ``forget`` clears what the broker retains about devices that are gone, and refuses those that are served."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from service.mqtt.discovery import discovery_message
from service.mqtt.messages import OutgoingMessage, event_message, link_message
from stinger.device_name import DeviceName
from stinger.wire.sample_messages import SampleMessage, encode_message
from tests.helpers.brokers import Heard, Mosquitto, retained_messages, subscriber
from tests.helpers.daemons import daemon
from tests.helpers.events import NOW_S, link_report, spin_up
from tests.helpers.patience import mqtt_client
from tests.helpers.samples import counting_samples


def has_ended(heard: Heard, topic: str) -> bool:
    """Whether the newest message under ``topic`` is that the link has ended."""
    return b'"ended"' in bytes(heard.on(topic)[-1].payload)


async def leave(port: int, *messages: OutgoingMessage) -> None:
    async with mqtt_client(port) as client:
        for message in messages:
            await client.publish(message.topic, message.payload, 1, retain=True)


async def leave_device(port: int, name: str) -> None:
    await leave(
        port,
        link_message(link_report(name), NOW_S),
        event_message(spin_up(name)),
        discovery_message(DeviceName(name), "1"),
    )


async def retained_topics(port: int) -> set[str]:
    return {message.topic.value for message in await retained_messages(port)}


async def send(heard: Heard, topic: str) -> dict[str, Any]:
    """Send a command and return its answer."""
    before = len(heard.on(f"{topic}/response"))
    assert heard.client is not None
    await heard.client.publish(topic, b"", 1)
    await heard.until(lambda: len(heard.on(f"{topic}/response")) > before)
    answer: dict[str, Any] = json.loads(bytes(heard.on(f"{topic}/response")[-1].payload))
    return answer


@asynccontextmanager
async def running(folder: Path, port: int, *sources: str) -> AsyncIterator[Heard]:
    """Run a daemon with ``sources``, and a subscriber once the daemon receives commands."""
    arguments = [argument for source in sources for argument in ("--source", source)]
    async with subscriber(port) as heard:
        with daemon(folder, *arguments, "--broker", f"mqtt://127.0.0.1:{port}", "--home-assistant"):
            await heard.until(
                lambda: any(b'"online"' in bytes(message.payload) for message in heard.on("stinger/daemon/status"))
            )
            yield heard


async def test_a_device_that_is_gone_is_forgotten_and_stays_so_at_the_next_connection(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    await leave_device(mosquitto.port, "old")
    await leave_device(mosquitto.port, "older")
    async with running(tmp_path, mosquitto.port, "tcp://127.0.0.1:1?device=b1") as heard:
        corrected = "stinger/old/link"
        await heard.until(lambda: any(b'"ended"' in bytes(message.payload) for message in heard.on(corrected)))
        answer = await send(heard, "stinger/old/command/forget")
        assert (answer["ok"], answer["result"]) == (True, {"forgotten": ["old"]})
        await heard.until(lambda: heard.on(corrected)[-1].payload == b"")
        assert heard.client is not None
        await heard.client.publish("homeassistant/status", b"online", 1)  # everything retained is published again
        await heard.until(lambda: len(heard.on("homeassistant/device/stinger_b1/config")) >= 2)
        topics = await retained_topics(mosquitto.port)
    assert not [topic for topic in topics if "old/" in topic or "stinger_old/" in topic]
    assert {"stinger/older/link", "homeassistant/device/stinger_older/config", "stinger/b1/link"} <= topics


async def test_all_devices_that_are_gone_are_forgotten_and_the_served_one_is_not(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    await leave_device(mosquitto.port, "old")
    await leave_device(mosquitto.port, "older")
    async with running(tmp_path, mosquitto.port, "tcp://127.0.0.1:1?device=b1") as heard:
        for name in ("old", "older"):
            topic = f"stinger/{name}/link"
            await heard.until(partial(has_ended, heard, topic))
        answer = await send(heard, "stinger/daemon/command/forget")
        assert (answer["ok"], answer["device"], answer["result"]) == (True, None, {"forgotten": ["old", "older"]})
        topics = await retained_topics(mosquitto.port)
    assert topics == {
        "stinger/daemon/status",
        "stinger/b1/link",
        "stinger/b1/model",
        "homeassistant/device/stinger_b1/config",
    }


async def test_a_device_with_a_source_is_not_forgotten(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async with running(tmp_path, mosquitto.port, "tcp://127.0.0.1:1?device=b1") as heard:
        answer = await send(heard, "stinger/b1/command/forget")
        assert answer["error"] == "'b1' has a source: remove that from the configuration first"
        assert "stinger/b1/model" in await retained_topics(mosquitto.port)


async def test_a_device_that_publishes_itself_is_forgotten_once_it_is_silent(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    samples = encode_message(SampleMessage(0, counting_samples(0, 20)))
    async with running(tmp_path, mosquitto.port, "mqtt:") as heard:
        assert heard.client is not None
        while not heard.on("stinger/b7/link"):  # the daemon may not have subscribed yet
            await heard.client.publish("stinger/b7/samples", samples, 1)
            await asyncio.sleep(0.1)
        answer = await send(heard, "stinger/b7/command/forget")
        assert answer["error"] == "'b7' still publishes samples: switch it off first"
        await heard.until(lambda: b'"silent"' in bytes(heard.on("stinger/b7/link")[-1].payload))
        answer = await send(heard, "stinger/b7/command/forget")
        assert answer["result"] == {"forgotten": ["b7"]}
        await heard.until(lambda: heard.on("stinger/b7/link")[-1].payload == b"")
        assert not [topic for topic in await retained_topics(mosquitto.port) if "b7" in topic]


async def test_a_name_that_no_device_can_have_is_refused(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async with running(tmp_path, mosquitto.port, "tcp://127.0.0.1:1?device=b1") as heard:
        answer = await send(heard, "stinger/a b/command/forget")
        assert (answer["ok"], answer["device"]) == (False, "a b")


@pytest.mark.parametrize("second_root", ["stinger", "halls/east"])
async def test_two_daemons_with_one_topic_root_raise_an_alarm_that_names_the_key(
    mosquitto: Mosquitto, tmp_path: Path, second_root: str
) -> None:
    broker = ("--broker", f"mqtt://127.0.0.1:{mosquitto.port}")
    (tmp_path / "second").mkdir()
    async with running(tmp_path, mosquitto.port, "tcp://127.0.0.1:1?device=b1") as heard:
        arguments = ("--source", "tcp://127.0.0.1:1?device=b2", *broker, "--topic-root", second_root)
        with daemon(tmp_path / "second", *arguments) as second:
            await heard.until(lambda: bool(heard.on(f"{second_root}/b2/link")))
            if second_root == "stinger":
                await heard.until(lambda: len({json.loads(bytes(m.payload))["instance"] for m in alarmed(heard)}) == 2)
                assert all(b"broker.topic_root" in bytes(message.payload) for message in alarmed(heard))
                assert second.log_text().count("alarm_raised") == 1
            else:
                await asyncio.sleep(0.5)
                assert not alarmed(heard)
                assert "alarm_raised" not in second.log_text()


def alarmed(heard: Heard) -> list[aiomqtt.Message]:
    """The statuses with an alarm about the topic root."""
    return [message for message in heard.on("stinger/daemon/status") if b"topic root" in bytes(message.payload)]

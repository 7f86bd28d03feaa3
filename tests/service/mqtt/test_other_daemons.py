"""Daemons that share a topic root by mistake find each other; what a broker merely retains is no proof of another one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.base.states import DaemonStatus
from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot, parse_topic_root
from service.mqtt.broker_link import BrokerLink
from service.mqtt.messages import status_message
from service.mqtt.other_daemons import MOST_OTHERS, OtherDaemons
from service.mqtt.outbox import Outbox
from tests.helpers.brokers import Mosquitto, subscriber, until
from tests.helpers.patience import mqtt_client
from tests.service.mqtt.conftest import running

STATUS = "stinger/daemon/status"


class Daemon:
    """A link to a broker, and the problems that it reported."""

    def __init__(self, port: int, outbox: Outbox, root: TopicRoot | None = None) -> None:
        self.problems: list[str] = []
        self.link = BrokerLink(
            BrokerAddress("127.0.0.1", port), outbox, version="1", root=root, on_other_daemons=self.problems.append
        )


@asynccontextmanager
async def running_daemon(port: int, folder: Path, name: str, root: TopicRoot | None = None) -> AsyncIterator[Daemon]:
    with Outbox(folder / f"{name}.db") as outbox:
        daemon = Daemon(port, outbox, root)
        async with running(daemon.link):
            await until(lambda: daemon.link.connected)
            yield daemon


async def retained_status(port: int) -> str:
    async with subscriber(port, STATUS) as heard:
        await heard.until(lambda: bool(heard.messages))
    return str(json.loads(heard.messages[0].payload)["state"])


def online(instance: str, *, state: bool = True) -> bytes:
    return status_message(DaemonStatus(state, 1.0, "started", "1", instance)).payload


@pytest.mark.parametrize("root", [None, parse_topic_root("halls/east")])
async def test_two_daemons_with_one_topic_root_both_report_it_once(
    mosquitto: Mosquitto, tmp_path: Path, root: TopicRoot | None
) -> None:
    async with (
        running_daemon(mosquitto.port, tmp_path, "first", root) as first,
        running_daemon(mosquitto.port, tmp_path, "second", root) as second,
    ):
        await until(lambda: bool(first.problems) and bool(second.problems))
        await asyncio.sleep(0.3)
        for daemon in (first, second):
            (problem,) = daemon.problems
            assert f"topic root, {root or 'stinger'}:" in problem
            assert "broker.topic_root" in problem


async def test_the_problem_is_over_when_the_other_daemon_stops_and_the_status_is_online_again(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    async with running_daemon(mosquitto.port, tmp_path, "first") as first:
        async with running_daemon(mosquitto.port, tmp_path, "second"):
            await until(lambda: len(first.problems) == 1)
        await until(lambda: first.problems[1:] == [""])
        await asyncio.sleep(0.2)
        assert await retained_status(mosquitto.port) == "online"


async def test_daemons_with_their_own_topic_roots_report_nothing(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async with (
        running_daemon(mosquitto.port, tmp_path, "first") as first,
        running_daemon(mosquitto.port, tmp_path, "second", parse_topic_root("halls/east")) as second,
    ):
        await asyncio.sleep(0.5)
        assert first.problems == second.problems == []


async def test_a_status_that_a_daemon_left_at_a_power_cut_is_no_other_daemon(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    async with mqtt_client(mosquitto.port) as client:
        await client.publish(STATUS, online("gone"), 1, retain=True)
    async with running_daemon(mosquitto.port, tmp_path, "first") as daemon:
        await asyncio.sleep(0.5)
        assert daemon.problems == []


async def test_a_will_that_the_broker_publishes_late_does_not_leave_the_daemon_offline(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    async with running_daemon(mosquitto.port, tmp_path, "first") as daemon:
        async with subscriber(mosquitto.port, STATUS) as heard:
            assert heard.client is not None
            await heard.client.publish(STATUS, online("an earlier run", state=False), 1, retain=True)
            await heard.until(lambda: len(heard.messages) == 3)
        assert [json.loads(message.payload)["state"] for message in heard.messages] == ["online", "offline", "online"]
        assert daemon.problems == []


async def test_a_restarted_broker_makes_no_other_daemon_of_the_own_status(mosquitto: Mosquitto, tmp_path: Path) -> None:
    async with running_daemon(mosquitto.port, tmp_path, "first") as daemon:
        mosquitto.kill()
        await until(lambda: not daemon.link.connected)
        mosquitto.start()
        await until(lambda: daemon.link.connected)
        await asyncio.sleep(0.3)
        assert daemon.problems == []


@pytest.mark.parametrize("retained", [True, False])
@given(
    payload=st.binary(max_size=80)
    | st.dictionaries(
        st.sampled_from(["state", "instance"]),
        st.sampled_from(["online", "offline", "me", "x" * 65, ""]) | st.none() | st.lists(st.integers(), max_size=2),
    ).map(lambda content: json.dumps(content).encode())
)
def test_statuses_of_other_programs_raise_nothing(retained: bool, payload: bytes) -> None:
    problems: list[str] = []
    OtherDaemons(TopicRoot(), "me", problems.append, lambda: None).take(payload, retained=retained)
    assert not (retained and problems)


def test_invented_daemons_do_not_fill_the_memory_or_have_the_status_published_without_end() -> None:
    published: list[None] = []
    problems: list[str] = []
    others = OtherDaemons(TopicRoot(), "me", problems.append, lambda: published.append(None))
    for i in range(10 * MOST_OTHERS):
        others.take(online(f"invented {i}"), retained=False)
    assert len(published) == MOST_OTHERS
    assert len(problems) == 1

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot
from service.doctor.broker import check_broker
from service.doctor.finding import Finding, Verdict
from tests.helpers.brokers import Mosquitto, free_port
from tests.helpers.patience import mqtt_client

ONLINE = {"state": "online", "version": "1.2", "alarm": None, "reason": None}


async def findings(port: int) -> list[Finding]:
    return await check_broker(BrokerAddress("127.0.0.1", port), TopicRoot(), status_s=0.5)


async def publish_status(broker: Mosquitto, payload: bytes) -> None:
    async with mqtt_client(broker.port) as client:
        await client.publish("stinger/daemon/status", payload, qos=1, retain=True)


async def test_broker_that_is_not_there_is_one_problem_with_its_reason() -> None:
    (finding,) = await findings(free_port())
    assert finding.verdict is Verdict.PROBLEM
    assert "refused" in finding.found
    assert "--broker" in finding.remedy


async def test_broker_without_a_daemon_is_good_and_says_how_to_start_one(mosquitto: Mosquitto) -> None:
    broker, daemon = await findings(mosquitto.port)
    assert (broker.verdict, daemon.verdict) == (Verdict.GOOD, Verdict.NOTE)
    assert "stinger run" in daemon.remedy


@pytest.mark.parametrize(
    ("status", "verdict", "shown"),
    [
        (ONLINE, Verdict.GOOD, "version 1.2, online"),
        (ONLINE | {"alarm": "disk full"}, Verdict.PROBLEM, "disk full"),
        (ONLINE | {"state": "offline", "reason": "stopped"}, Verdict.PROBLEM, "offline: stopped"),
    ],
)
async def test_state_of_the_daemon_is_that_of_its_status(
    mosquitto: Mosquitto, status: Mapping[str, object], verdict: Verdict, shown: str
) -> None:
    await publish_status(mosquitto, json.dumps(status).encode())
    _, daemon = await findings(mosquitto.port)
    assert daemon.verdict is verdict
    assert shown in daemon.found


@pytest.mark.parametrize("payload", [b"\xff", b"[]", b"{}", b"5", b'"a"', b"[" * 100_000])
async def test_status_that_cannot_be_read_is_a_problem(mosquitto: Mosquitto, payload: bytes) -> None:
    await publish_status(mosquitto, payload)
    _, daemon = await findings(mosquitto.port)
    assert (daemon.verdict, daemon.found) == (Verdict.PROBLEM, "its status cannot be read")


async def test_control_characters_of_a_status_do_not_reach_the_terminal(mosquitto: Mosquitto) -> None:
    await publish_status(mosquitto, json.dumps(ONLINE | {"alarm": "\x1b[2J"}).encode())
    _, daemon = await findings(mosquitto.port)
    assert "\x1b" not in daemon.found

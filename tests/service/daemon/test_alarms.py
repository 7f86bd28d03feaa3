"""Alarms of the daemon: each has a topic, and for each topic there is a text about what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from service.daemon.alarms import Alarms
from service.ops.health import Health
from service.ops.metrics import Metrics
from service.ops.remedies import REMEDIES
from service.recording.disk_alarm import RecorderAlarm
from service.recording.retention import Pruned
from tests.helpers.places import ROOT


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def alarms(health: Health) -> Alarms:
    return Alarms(health, Metrics(), asyncio.Event())


def raise_all(alarms: Alarms) -> None:
    alarms.on_recorder(RecorderAlarm(active=True, reason="no room", lost=0))
    alarms.on_pruned(Pruned(problems=("cannot be deleted",)))
    for name in dir(alarms):
        if name.startswith("on_") and name not in ("on_recorder", "on_pruned"):
            getattr(alarms, name)("a problem")


def test_there_is_a_remedy_for_every_alarm(alarms: Alarms, health: Health) -> None:
    raise_all(alarms)
    assert set(health.active_alarms) == set(REMEDIES)


def test_a_subscriber_receives_the_alarms_by_topic_until_they_end(alarms: Alarms) -> None:
    received: list[Mapping[str, str]] = []
    alarms.on_model("damaged")
    alarms.subscribe(received.append)
    alarms.on_devices("too many")
    alarms.on_model("")
    assert received == [{"model": "damaged"}, {"model": "damaged", "devices": "too many"}, {"devices": "too many"}]


def test_the_documentation_has_the_same_remedies() -> None:
    page = (ROOT / "docs" / "looking-after-it.md").read_text(encoding="utf-8")
    assert [topic for topic, text in REMEDIES.items() if f"| `{topic}` | {text} |" not in page] == []

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.base.backoff import Backoff
from service.base.source import Block, LinkReport, LinkState
from service.sources import mqtt_devices
from service.sources.mqtt_devices import MqttDevices, ReceivedMessage
from service.sources.mqtt_source import MqttSource
from stinger.wire.sample_messages import SampleMessage, encode_message
from tests.helpers.samples import counting_samples
from tests.service.sources.collecting import Collecting, running

SECOND = 1_000_000_000


def message(device: str, first: int, count: int = 20, read_ns: int | None = None) -> ReceivedMessage:
    payload = encode_message(SampleMessage(first, counting_samples(first * 10, count)))
    return ReceivedMessage(f"stinger/{device}/samples", payload, time.monotonic_ns() if read_ns is None else read_ns)


class Heard:
    """Blasters that hear messages, and what came of it."""

    def __init__(self) -> None:
        self.intake = Collecting()
        self.blasters = MqttDevices("stinger", 2.0)

    def hear(self, message: ReceivedMessage) -> list[Block]:
        return self.blasters.receive(message, self.intake)

    @property
    def report(self) -> LinkReport:
        return self.intake.reports[-1]


def test_new_device_appears_by_itself() -> None:
    heard = Heard()
    blocks = heard.hear(message("a", 0)) + heard.hear(message("b", 0)) + heard.hear(message("a", 20))
    assert [(block.device, block.samples.size) for block in blocks] == [("a", 20), ("b", 20), ("a", 20)]
    assert [(report.device, report.state) for report in heard.intake.reports] == [
        ("a", LinkState.STREAMING),
        ("b", LinkState.STREAMING),
    ]


def test_samples_on_the_daemons_own_topic_are_nobodys() -> None:
    heard = Heard()
    assert heard.hear(message("daemon", 0)) == []
    assert heard.intake.reports == []


def test_lost_and_repeated_samples_are_told_by_the_counter() -> None:
    heard = Heard()
    heard.hear(message("a", 0))
    assert heard.hear(message("a", 0)) == []
    heard.hear(message("a", 60))
    heard.blasters.check(heard.intake, time.monotonic_ns() + 3 * SECOND)
    assert heard.report.state is LinkState.SILENT
    assert (heard.report.counters.lost, heard.report.counters.out_of_order) == (40, 1)
    assert heard.report.counters.samples == 40


def test_device_that_started_over_is_another_boot() -> None:
    heard = Heard()
    heard.hear(message("a", 500))
    assert [block.boot for block in heard.hear(message("a", 0))] == [1]


def test_silent_device_is_reported_once_and_streams_again() -> None:
    heard = Heard()
    heard.hear(message("a", 0, read_ns=SECOND))
    heard.blasters.check(heard.intake, 2 * SECOND)
    assert heard.report.state is LinkState.STREAMING
    for _ in range(3):
        heard.blasters.check(heard.intake, 3 * SECOND)
    heard.hear(message("a", 20, read_ns=4 * SECOND))
    assert [report.state.value for report in heard.intake.reports] == ["streaming", "silent", "streaming"]
    assert heard.report.counters.reconnects == 1


def test_what_is_no_message_of_a_device_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    heard = Heard()
    heard.hear(message("a", 0))
    for payload in (b"", b"hello", bytes(22)):
        assert heard.hear(ReceivedMessage("stinger/a/samples", payload, 0)) == []
    for topic in ("stinger/../samples", "stinger/+/samples"):
        assert heard.hear(ReceivedMessage(topic, message("a", 20).payload, 0)) == []
    heard.blasters.disconnected("gone", heard.intake)
    assert heard.report.counters.corrupted == 3
    assert [record.message.split(" reason")[0] for record in caplog.records] == [
        "message device=a",
        "message topic='stinger/../samples'",
        "link device=a state=lost",
    ]


def test_made_up_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_devices, "DEVICES_MAX", 3)
    heard = Heard()
    got = [heard.hear(message(f"d{i}", 0)) for i in range(10)]
    assert [len(blocks) for blocks in got] == [1, 1, 1] + [0] * 7


async def test_lost_broker_is_tried_again_and_every_device_is_told() -> None:
    connections = 0

    async def messages() -> AsyncIterator[ReceivedMessage]:
        yield message("a", connections * 20 - 20)
        raise ConnectionError("reset by the broker")

    @asynccontextmanager
    async def subscribe() -> AsyncIterator[AsyncIterator[ReceivedMessage]]:
        nonlocal connections
        connections += 1
        if connections == 2:
            raise ConnectionError("refused")
        yield messages()

    intake = Collecting()
    async with running(MqttSource("mqtt:", subscribe, backoff=Backoff(0.001, 0.002)), intake):
        await intake.until_samples(60)
    assert intake.states[:3] == [LinkState.STREAMING, LinkState.LOST, LinkState.STREAMING]
    assert "reset by the broker" in intake.reports[1].reason

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.base.backoff import Backoff
from service.base.source import Block, LinkReport, LinkState
from service.sources.device_limit import (
    MAX_DEVICES,
    NEW_AT_ONCE,
    NEW_PER_S,
    PROBLEM_ENDS_S,
    REPLACED_AFTER_S,
    DeviceLimit,
)
from service.sources.mqtt_devices import MqttDevices, ReceivedMessage
from service.sources.mqtt_source import MqttSource
from stinger.device_name import DeviceName
from stinger.errors import InputError
from stinger.wire.sample_messages import SampleMessage, encode_message
from tests.helpers.samples import counting_samples
from tests.service.sources.collecting import Collecting, running

SECOND = 1_000_000_000


def message(device: str, first: int, count: int = 20, read_ns: int | None = None) -> ReceivedMessage:
    payload = encode_message(SampleMessage(first, counting_samples(first * 10, count)))
    return ReceivedMessage(f"stinger/{device}/samples", payload, time.monotonic_ns() if read_ns is None else read_ns)


class Receiver:
    """Passes messages to devices, and collects their reports."""

    def __init__(self, max_devices: int = MAX_DEVICES) -> None:
        self.intake = Collecting()
        self.problems: list[str] = []
        self.forgotten: list[str] = []
        self.now_s = 0.0
        self.limit = DeviceLimit(
            max_devices, on_problem=self.problems.append, on_forget=self.forgotten.append, clock=lambda: self.now_s
        )
        self.devices = MqttDevices("stinger", 2.0, self.limit)

    def receive(self, message: ReceivedMessage) -> list[Block]:
        return self.devices.receive(message, self.intake)

    @property
    def report(self) -> LinkReport:
        return self.intake.reports[-1]


def test_new_device_is_added_by_its_first_message() -> None:
    receiver = Receiver()
    blocks = receiver.receive(message("a", 0)) + receiver.receive(message("b", 0)) + receiver.receive(message("a", 20))
    assert [(block.device, block.samples.size) for block in blocks] == [("a", 20), ("b", 20), ("a", 20)]
    assert [(report.device, report.state) for report in receiver.intake.reports] == [
        ("a", LinkState.STREAMING),
        ("b", LinkState.STREAMING),
    ]


def test_samples_on_the_daemons_own_topic_are_ignored() -> None:
    receiver = Receiver()
    assert receiver.receive(message("daemon", 0)) == []
    assert receiver.intake.reports == []


def test_lost_and_repeated_samples_are_detected_by_the_counter() -> None:
    receiver = Receiver()
    receiver.receive(message("a", 0))
    assert receiver.receive(message("a", 0)) == []
    receiver.receive(message("a", 60))
    receiver.devices.check_silence(receiver.intake, time.monotonic_ns() + 3 * SECOND)
    assert receiver.report.state is LinkState.SILENT
    assert (receiver.report.counters.lost, receiver.report.counters.out_of_order) == (40, 1)
    assert receiver.report.counters.samples == 40


def test_restarted_device_is_another_boot() -> None:
    receiver = Receiver()
    receiver.receive(message("a", 500))
    assert [block.boot for block in receiver.receive(message("a", 0))] == [1]


def test_silent_device_is_reported_once_and_streams_again() -> None:
    receiver = Receiver()
    receiver.receive(message("a", 0, read_ns=SECOND))
    receiver.devices.check_silence(receiver.intake, 2 * SECOND)
    assert receiver.report.state is LinkState.STREAMING
    for _ in range(3):
        receiver.devices.check_silence(receiver.intake, 3 * SECOND)
    receiver.receive(message("a", 20, read_ns=4 * SECOND))
    assert [report.state.value for report in receiver.intake.reports] == ["streaming", "silent", "streaming"]
    assert receiver.report.counters.reconnects == 1


def test_device_that_is_forgotten_is_no_longer_reported_and_new_if_it_publishes_again() -> None:
    receiver = Receiver()
    receiver.receive(message("a", 0, read_ns=SECOND))
    with pytest.raises(InputError, match="'a' still publishes"):
        receiver.devices.forget(DeviceName("a"))
    receiver.devices.check_silence(receiver.intake, 4 * SECOND)
    assert receiver.devices.forget(DeviceName("a"))
    assert not receiver.devices.forget(DeviceName("a"))
    receiver.devices.disconnected("broker away", receiver.intake)
    assert receiver.report.state is LinkState.SILENT
    receiver.receive(message("a", 20, read_ns=5 * SECOND))
    assert (receiver.report.state, receiver.report.counters.reconnects) == (LinkState.STREAMING, 0)


def test_damaged_and_foreign_messages_are_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    receiver = Receiver()
    receiver.receive(message("a", 0))
    for payload in (b"", b"hello", bytes(22)):
        assert receiver.receive(ReceivedMessage("stinger/a/samples", payload, 0)) == []
    for topic in ("stinger/../samples", "stinger/+/samples"):
        assert receiver.receive(ReceivedMessage(topic, message("a", 20).payload, 0)) == []
    receiver.devices.disconnected("gone", receiver.intake)
    assert receiver.report.counters.corrupted == 3
    assert [record.message.split(" reason=")[0] for record in caplog.records] == [
        "message_damaged device=a",
        "message_ignored topic=stinger/../samples",
        "link_state_changed device=a state=lost",
    ]


def test_invented_names_do_not_fill_the_memory() -> None:
    receiver = Receiver(max_devices=3)
    got = [receiver.receive(message(f"d{i}", 0)) for i in range(10)]
    assert [len(blocks) for blocks in got] == [1, 1, 1] + [0] * 7
    assert receiver.limit.refused == 7
    assert receiver.problems == ["more than max_devices = 3 devices over MQTT: others are ignored"]


def test_new_names_are_only_accepted_at_a_limited_rate() -> None:
    receiver = Receiver(max_devices=10 * NEW_AT_ONCE)
    got = [len(receiver.receive(message(f"d{i}", 0))) for i in range(NEW_AT_ONCE + 100)]
    assert got == [1] * NEW_AT_ONCE + [0] * 100
    receiver.now_s = 3.0
    got = [len(receiver.receive(message(f"e{i}", 0))) for i in range(100)]
    assert sum(got) == 3 * NEW_PER_S


def test_problem_is_over_when_no_device_was_refused_for_a_while() -> None:
    receiver = Receiver(max_devices=1)
    receiver.receive(message("a", 0))
    receiver.receive(message("b", 0))
    receiver.devices.check_silence(receiver.intake)
    assert len(receiver.problems) == 1
    receiver.now_s = PROBLEM_ENDS_S
    receiver.devices.check_silence(receiver.intake)
    assert receiver.problems[1:] == [""]


def test_new_device_takes_the_place_of_one_that_was_silent_for_long() -> None:
    receiver = Receiver(max_devices=2)
    later_ns = int(REPLACED_AFTER_S) * SECOND
    receiver.receive(message("a", 0, read_ns=0))
    receiver.receive(message("b", 0, read_ns=SECOND))
    assert receiver.receive(message("c", 0, read_ns=later_ns - 1)) == []
    assert len(receiver.receive(message("c", 0, read_ns=later_ns))) == 1
    assert receiver.forgotten == ["a"]
    assert receiver.receive(message("a", 0, read_ns=later_ns)) == []


def test_message_that_cannot_be_decoded_adds_no_device() -> None:
    receiver = Receiver(max_devices=1)
    receiver.receive(ReceivedMessage("stinger/a/samples", b"hello", 0))
    assert len(receiver.receive(message("b", 0))) == 1


async def test_lost_broker_is_retried_and_every_device_reported_as_lost() -> None:
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

"""The alarm about blasters whose clock cannot be used."""

from __future__ import annotations

from dataclasses import replace

from service.base.source import Block, LinkReport, LinkState
from service.daemon.clock_alarm import ClockAlarm
from service.sources.mqtt_devices import MqttDevices, ReceivedMessage
from service.sources.stream_problems import CLOCK_REASON
from stinger.device_name import DeviceName
from stinger.wire.sample_messages import SampleMessage, encode_message
from tests.helpers.events import link_report
from tests.helpers.samples import samples_at


class Intake:
    def __init__(self) -> None:
        self.reports: list[LinkReport] = []

    async def put(self, _block: Block) -> None:
        raise AssertionError

    def link(self, report: LinkReport) -> None:
        self.reports.append(report)


def test_the_alarm_names_a_blaster_and_counts_the_others_until_their_clocks_are_usable() -> None:
    problems: list[str] = []
    alarm = ClockAlarm(problems.append)
    for device in ("b2", "b1", "b1", "b3"):
        alarm.on_link(replace(link_report(device=device), clock_usable=device == "b3"))
    alarm.on_link(link_report(device="b1"))
    alarm.on_forget(DeviceName("b2"))
    assert problems == [
        "the clock of blaster b2 is not usable: its samples are dropped",
        "the clock of blaster b1 and of 1 more is not usable: its samples are dropped",
        "the clock of blaster b2 is not usable: its samples are dropped",
        "",
    ]


def test_a_blaster_whose_clock_runs_backwards_is_reported_with_the_reason_and_again_when_it_recovers() -> None:
    devices, intake = MqttDevices("stinger", 2.0), Intake()
    times = [*range(10_000_000, 9_990_000, -10), *range(0, 30_000, 10)]
    for sequence, start in enumerate(range(0, len(times), 20)):
        payload = encode_message(SampleMessage(start, samples_at(times[start : start + 20])))
        devices.receive(ReceivedMessage("stinger/b1/samples", payload, (sequence + 1) * 200_000_000), intake)
    reasons = list(dict.fromkeys((report.clock_usable, report.reason) for report in intake.reports))
    assert (False, CLOCK_REASON) in reasons
    assert intake.reports[-1].clock_usable
    assert intake.reports[-1].reason == ""
    assert all(report.state is LinkState.STREAMING for report in intake.reports)
    assert intake.reports[-1].counters.late > 1900

"""Whether the events of a device are consistent with one another."""

from __future__ import annotations

import json

import pytest

from hil.measuring.consistency import daemon_restarts_s, find_contradictions
from hil.measuring.messages import EVENT_KINDS, DaemonMessage, parse_messages
from hil.measuring.observations import InjectedFault, ReceivedMessage

Event = tuple[str, dict[str, object]]

ON: Event = ("spinup", {"device_ms": 1000, "state": "on"})
SHOT: Event = ("shot", {"device_ms": 1110, "wheels_on": True, "lead_ms": 110.0})
OFF: Event = ("spinup", {"device_ms": 1500, "state": "off", "with_shot": True, "duration_ms": 500.0})
OFF_WITHOUT_SHOT: Event = ("spinup", {"device_ms": 1500, "state": "off", "with_shot": False, "duration_ms": 500.0})
FALSE: Event = ("false_spinup", {"device_ms": 1000, "duration_ms": 500.0})
SHOT_WHEELS_OFF: Event = ("shot", {"device_ms": 1900, "wheels_on": False, "lead_ms": None})


def published(*events: Event) -> list[DaemonMessage]:
    """Return the events as the daemon publishes them, one per second."""
    received = [
        ReceivedMessage(i, f"stinger/d0/{kind}", json.dumps({"id": f"{i}", "unix_s": 100.0 + i} | content).encode())
        for i, (kind, content) in enumerate(events)
    ]
    return parse_messages(received, EVENT_KINDS)


def but(event: Event, **changed: object) -> Event:
    return event[0], event[1] | changed


@pytest.mark.parametrize(
    "events",
    [
        (),
        (ON, SHOT, OFF),
        (ON, OFF_WITHOUT_SHOT, FALSE, SHOT_WHEELS_OFF),
        (SHOT_WHEELS_OFF, ON, SHOT, OFF, ON, OFF_WITHOUT_SHOT, FALSE),
        (ON, but(SHOT, lead_ms=110.4), OFF),
    ],
)
def test_consistent_events_have_no_contradiction(events: tuple[Event, ...]) -> None:
    assert find_contradictions(published(*events)) == []


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ((ON, SHOT), "d0: the wheels switched on at 1000 ms and never off"),
        ((ON, ON, OFF), "d0: spinup at 1000 ms: the wheels were already on"),
        ((OFF,), "d0: spinup at 1500 ms: the wheels were already off"),
        ((ON, OFF_WITHOUT_SHOT), "d0: no false_spinup event for the spin-up at 1000 ms"),
        ((ON, OFF_WITHOUT_SHOT, SHOT_WHEELS_OFF), "d0: no false_spinup event for the spin-up at 1000 ms"),
        ((FALSE,), "d0: false_spinup at 1000 ms: no spin-up without a shot began at that time"),
        ((ON, SHOT, OFF, FALSE), "d0: false_spinup at 1000 ms: no spin-up without a shot began"),
        ((ON, OFF_WITHOUT_SHOT, but(FALSE, device_ms=990)), "d0: false_spinup at 990 ms: no spin-up without a shot"),
        (
            (ON, OFF_WITHOUT_SHOT, but(FALSE, duration_ms=90.0)),
            "d0: false_spinup at 1000 ms: duration_ms is 90.0, not 500.0",
        ),
        ((but(SHOT, device_ms=900),), "d0: shot at 900 ms: wheels_on is True"),
        ((ON, but(SHOT, wheels_on=False, lead_ms=None), OFF), "d0: shot at 1110 ms: wheels_on is False"),
        (
            (ON, but(SHOT, lead_ms=60.0), OFF),
            "d0: shot at 1110 ms: lead_ms is 60.0, but the wheels switched on at 1000 ms",
        ),
        ((ON, but(SHOT, lead_ms=None), OFF), "d0: shot at 1110 ms: lead_ms is None"),
        ((but(SHOT_WHEELS_OFF, lead_ms=0.0),), "d0: shot at 1900 ms: lead_ms is 0.0, but the wheels are off"),
        ((ON, SHOT, but(OFF, duration_ms=400)), "d0: spinup at 1500 ms: duration_ms is 400"),
        ((ON, SHOT, but(OFF, with_shot=False), FALSE), "d0: spinup at 1500 ms: with_shot is False"),
    ],
)
def test_contradiction_is_described_in_one_line(events: tuple[Event, ...], line: str) -> None:
    assert find_contradictions(published(*events))[0].startswith(line)


def test_restarted_daemon_does_not_know_that_the_wheels_were_on() -> None:
    events = published(ON, SHOT_WHEELS_OFF, ON, SHOT, OFF)
    assert find_contradictions(events) != []
    assert find_contradictions(events, restarts_s=[100.5]) == []


def test_restarted_daemon_may_switch_off_once_more_the_wheels_that_were_left_on() -> None:
    corrected = ("spinup", {"device_ms": 1000, "state": "off", "with_shot": None, "duration_ms": None})
    restarts = {"restarts_s": [100.5]}
    assert find_contradictions(published(ON, corrected, SHOT_WHEELS_OFF), **restarts) == []
    assert find_contradictions(published(ON, corrected, ON, SHOT, OFF), **restarts) == []
    for events in [(ON, corrected, corrected), (ON, but(corrected, device_ms=990)), (SHOT_WHEELS_OFF, corrected)]:
        assert ["already off" in line for line in find_contradictions(published(*events), **restarts)] == [True]


def test_restart_is_the_first_online_status_after_a_kill() -> None:
    status = [
        ReceivedMessage(at_ns, "stinger/daemon/status", json.dumps({"state": state, "unix_s": at_ns / 10}).encode())
        for at_ns, state in [(10, "online"), (30, "offline"), (50, "online"), (60, "online")]
    ]
    killed = InjectedFault("daemon_killed", "daemon_killed:start=2", 20, 40)
    assert daemon_restarts_s([killed], parse_messages(status, ("status",))) == [5.0]
    assert daemon_restarts_s([], parse_messages(status, ("status",))) == []

"""What a daemon tells of a device, held against itself."""

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
IN_VAIN: Event = ("spinup", {"device_ms": 1500, "state": "off", "with_shot": False, "duration_ms": 500.0})
FALSE: Event = ("false_spinup", {"device_ms": 1000, "duration_ms": 500.0})
UNREADY: Event = ("shot", {"device_ms": 1900, "wheels_on": False, "lead_ms": None})


def told(*events: Event) -> list[DaemonMessage]:
    """The events, one a second, with the last word of their topics."""
    heard = [
        ReceivedMessage(i, f"stinger/d0/{kind}", json.dumps({"id": f"{i}", "unix_s": 100.0 + i} | content).encode())
        for i, (kind, content) in enumerate(events)
    ]
    return parse_messages(heard, EVENT_KINDS)


def but(event: Event, **changed: object) -> Event:
    return event[0], event[1] | changed


@pytest.mark.parametrize(
    "events",
    [
        (),
        (ON, SHOT, OFF),
        (ON, IN_VAIN, FALSE, UNREADY),
        (UNREADY, ON, SHOT, OFF, ON, IN_VAIN, FALSE),
        (ON, but(SHOT, lead_ms=110.4), OFF),
    ],
)
def test_a_story_that_goes_together_has_no_contradiction(events: tuple[Event, ...]) -> None:
    assert find_contradictions(told(*events)) == []


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ((ON, SHOT), "d0: the wheels that went on at 1000 ms never went off"),
        ((ON, ON, OFF), "d0: spinup at 1000 ms: the wheels were on already"),
        ((OFF,), "d0: spinup at 1500 ms: the wheels were off already"),
        ((ON, IN_VAIN), "d0: the false spin-up of 1000 ms was not told of"),
        ((ON, IN_VAIN, UNREADY), "d0: the false spin-up of 1000 ms was not told of"),
        ((FALSE,), "d0: false_spinup at 1000 ms: no wheels had gone off without a shot that went on then"),
        ((ON, SHOT, OFF, FALSE), "d0: false_spinup at 1000 ms: no wheels had gone off without a shot"),
        ((ON, IN_VAIN, but(FALSE, device_ms=990)), "d0: false_spinup at 990 ms: no wheels had gone off"),
        ((ON, IN_VAIN, but(FALSE, duration_ms=90.0)), "d0: false_spinup at 1000 ms: duration_ms is 90.0, not 500.0"),
        ((but(SHOT, device_ms=900),), "d0: shot at 900 ms: wheels_on is True"),
        ((ON, but(SHOT, wheels_on=False, lead_ms=None), OFF), "d0: shot at 1110 ms: wheels_on is False"),
        ((ON, but(SHOT, lead_ms=60.0), OFF), "d0: shot at 1110 ms: lead_ms is 60.0, and the wheels went on at 1000 ms"),
        ((ON, but(SHOT, lead_ms=None), OFF), "d0: shot at 1110 ms: lead_ms is None"),
        ((but(UNREADY, lead_ms=0.0),), "d0: shot at 1900 ms: lead_ms is 0.0, and the wheels are off"),
        ((ON, SHOT, but(OFF, duration_ms=400)), "d0: spinup at 1500 ms: duration_ms is 400"),
        ((ON, SHOT, but(OFF, with_shot=False), FALSE), "d0: spinup at 1500 ms: with_shot is False"),
    ],
)
def test_what_cannot_be_so_is_said_in_a_line(events: tuple[Event, ...], said: str) -> None:
    assert find_contradictions(told(*events))[0].startswith(said)


def test_a_daemon_that_was_killed_and_began_again_does_not_know_that_the_wheels_were_on() -> None:
    events = told(ON, UNREADY, ON, SHOT, OFF)
    assert find_contradictions(events) != []
    assert find_contradictions(events, restarts_s=[100.5]) == []


def test_a_restart_is_what_a_daemon_says_after_it_was_killed() -> None:
    status = [
        ReceivedMessage(at_ns, "stinger/daemon/status", json.dumps({"state": state, "unix_s": at_ns / 10}).encode())
        for at_ns, state in [(10, "online"), (30, "offline"), (50, "online"), (60, "online")]
    ]
    killed = InjectedFault("daemon_killed", "daemon_killed:start=2", 20, 40)
    assert daemon_restarts_s([killed], parse_messages(status, ("status",))) == [5.0]
    assert daemon_restarts_s([], parse_messages(status, ("status",))) == []

"""Judges the states that the daemon published.

Its alarms, lost links, and whether the last state of each was true.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from hil.measuring.messages import DaemonMessage
from hil.measuring.observations import ScenarioObservations

_FAULT_FREE_NS: Final = 1_500_000_000
"""A device's final link state is only judged if its last fault ended at least this long before the last message."""
_EXPECTED_FINAL_STATE: Final = {"link": "streaming", "status": "offline"}
_AT_STOP: Final = "ended"
"""State of every link once the daemon has stopped: only the state before it is about the device."""
_LOST_STATES: Final = ("lost", "silent")


@dataclass(frozen=True, slots=True)
class JudgedStates:
    """What a scenario's states show."""

    alarms: Sequence[str]
    """The alarms in order; an alarm that is repeated counts once."""
    link_losses: int
    untrue: int | None
    """How many final states were not what they should be; ``None`` if there was none to judge."""


def judge_states(
    observations: ScenarioObservations, journals: Collection[str], states: Sequence[DaemonMessage]
) -> JudgedStates:
    """Judge the status and link messages in ``states``; ``journals`` names the devices that kept a journal."""
    states = [state for state in states if state.at_ns >= observations.began_ns and not state.retained]
    lost = [state for state in states if state.kind == "link" and state.content.get("state") in _LOST_STATES]
    # Without a journal it is unknown whether the device is still present at the end, or how soon after a fault it is.
    last_ns = max((message.at_ns for message in observations.messages), default=0)
    fault_free = all(fault.end_ns is None or fault.end_ns < last_ns - _FAULT_FREE_NS for fault in observations.faults)
    links = journals if fault_free else ()
    judged = [
        state
        for state in states
        if state.kind == "status"
        or (state.kind == "link" and state.device in links and state.content.get("state") != _AT_STOP)
    ]
    final = {state.device: (state.kind, state.content.get("state")) for state in judged}
    untrue = sum(state != _EXPECTED_FINAL_STATE[kind] for kind, state in final.values())
    return JudgedStates(_alarms(states), len(lost), untrue if final else None)


def _alarms(states: Sequence[DaemonMessage]) -> list[str]:
    alarms: list[str] = []
    for state in states:
        alarm = str(state.content.get("alarm", "")) if state.kind == "status" else ""
        if alarm and alarms[-1:] != [alarm]:
            alarms.append(alarm)
    return alarms

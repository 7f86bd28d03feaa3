"""Builds the timeline of a scenario: faults, recoveries, and the states that the daemon published."""

from __future__ import annotations

from collections.abc import Sequence

from hil.measuring.messages import DaemonMessage
from hil.measuring.observations import ScenarioObservations
from hil.measuring.recovery import Recovery
from hil.record import TimelineEntry
from stinger.units import NS_PER_S


def build_timeline(
    observations: ScenarioObservations, recoveries: Sequence[Recovery], states: Sequence[DaemonMessage]
) -> list[TimelineEntry]:
    """Return the timeline, in order of time.

    ``states`` are the link, model and status messages; models are left out.
    """
    found = [
        TimelineEntry(
            _at_s(observations, fault.start_ns),
            "fault",
            fault.description,
            None if fault.end_ns is None else _at_s(observations, fault.end_ns),
            fault.device,
        )
        for fault in observations.faults
    ]
    found += [_recovery_entry(observations, recovery) for recovery in recoveries if recovery.at_ns is not None]
    found += [_state_entry(observations, state) for state in states if state.kind != "model" and not state.retained]
    return sorted(found, key=lambda entry: entry.at_s)


def _recovery_entry(observations: ScenarioObservations, recovery: Recovery) -> TimelineEntry:
    assert recovery.at_ns is not None
    what = f"recovered {recovery.time_s:.2f} s after the end of {recovery.fault.description}"
    return TimelineEntry(_at_s(observations, recovery.at_ns), "recovery", what, device=recovery.fault.device)


def _state_entry(observations: ScenarioObservations, state: DaemonMessage) -> TimelineEntry:
    content, at_s = state.content, _at_s(observations, state.at_ns)
    if state.kind == "link":
        reason = f", {content['reason']}" if content.get("reason") else ""
        return TimelineEntry(at_s, "event", f"link {content.get('state')}{reason}", device=state.device)
    alarm = f", alarm: {content['alarm']}" if content.get("alarm") else ""
    return TimelineEntry(at_s, "event", f"daemon {content.get('state')}{alarm}")


def _at_s(observations: ScenarioObservations, at_ns: int) -> float:
    return round((at_ns - observations.began_ns) / NS_PER_S, 3)

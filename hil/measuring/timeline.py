"""The timeline of a scenario: faults, recoveries and what the daemon said of its own state."""

from __future__ import annotations

from collections.abc import Sequence

from hil.measuring.messages import DaemonMessage
from hil.measuring.observations import ScenarioObservations
from hil.measuring.recovery import Recovery
from hil.record import TimelineEntry


def moments(
    evidence: ScenarioObservations, recoveries: Sequence[Recovery], states: Sequence[DaemonMessage]
) -> list[TimelineEntry]:
    """All of it, in order. ``states`` are links, models and the daemon's status; models are left out."""
    found = [
        TimelineEntry(_at_s(evidence, each.start_ns), "fault", each.what, _end_s(evidence, each.end_ns), each.device)
        for each in evidence.faults
    ]
    found += [_recovered(evidence, each) for each in recoveries if each.at_ns is not None]
    found += [_state(evidence, each) for each in states if each.kind != "model" and not each.retained]
    return sorted(found, key=lambda moment: moment.at_s)


def _recovered(evidence: ScenarioObservations, recovery: Recovery) -> TimelineEntry:
    assert recovery.at_ns is not None
    what = f"well again {recovery.took_s:.2f} s after: {recovery.occurrence.what}"
    return TimelineEntry(_at_s(evidence, recovery.at_ns), "recovery", what, device=recovery.occurrence.device)


def _state(evidence: ScenarioObservations, told: DaemonMessage) -> TimelineEntry:
    content = told.content
    if told.kind == "link":
        reason = f", {content['reason']}" if content.get("reason") else ""
        return TimelineEntry(
            _at_s(evidence, told.at_ns), "event", f"link {content.get('state')}{reason}", device=told.device
        )
    alarm = f", alarm: {content['alarm']}" if content.get("alarm") else ""
    return TimelineEntry(_at_s(evidence, told.at_ns), "event", f"daemon {content.get('state')}{alarm}")


def _at_s(evidence: ScenarioObservations, at_ns: int) -> float:
    return round((at_ns - evidence.began_ns) / 1e9, 3)


def _end_s(evidence: ScenarioObservations, at_ns: int | None) -> float | None:
    return None if at_ns is None else _at_s(evidence, at_ns)

"""From evidence to a scenario's measurements, histograms and timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.limits import Limit
from hil.measuring.agreement import compare_scores, compare_wheels
from hil.measuring.clock_fit import ClockFit, fit_clock
from hil.measuring.consistency import daemon_restarts_s, find_contradictions
from hil.measuring.definitions import MEASUREMENTS
from hil.measuring.delivery import Delivery
from hil.measuring.latency import (
    EVENTS,
    SAMPLES,
    event_times,
    find_stage,
    floor_latency,
    floor_times,
    histogram,
    joined,
    sample_times,
    stages_of_events,
    stages_of_samples,
)
from hil.measuring.messages import EVENT_KINDS, DaemonMessage, parse_messages, parse_scores
from hil.measuring.observations import ScenarioObservations
from hil.measuring.recovery import first_other_model_ns, model_taken_s, recoveries
from hil.measuring.samples import compare_samples, recorded_rate_hz
from hil.measuring.shots import compare_shots, drop_redelivered
from hil.measuring.timeline import moments
from hil.record import Latency, Measurement, TimelineEntry

_FEW: Final = 3
_CALM_NS: Final = 1_500_000_000
_AT_THE_END: Final = {"link": "streaming", "status": "offline"}
_LOST_LINKS: Final = ("lost", "silent")


@dataclass(slots=True)
class Assessment:
    """What a scenario's evidence comes to. ``values`` are those that could be had, by measurement."""

    values: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    latencies: list[Latency] = field(default_factory=list)
    timeline: list[TimelineEntry] = field(default_factory=list)

    def measurements(self, limits: Mapping[str, Limit]) -> list[Measurement]:
        """All that were made, and those that were to be made, in the order in which they are listed."""
        return [
            Measurement(name, kind.unit, self.values.get(name), limits.get(name), self.notes.get(name, kind.says))
            for name, kind in MEASUREMENTS.items()
            if name in self.values or name in limits
        ]


def assess(evidence: ScenarioObservations) -> Assessment:
    """Measure everything that ``evidence`` allows."""
    found = Assessment()
    deliveries = {device.name: Delivery.of(device.journal) for device in evidence.devices if device.journal is not None}
    scores = parse_scores(evidence.heard)
    events, redelivered = drop_redelivered(parse_messages(evidence.heard, EVENT_KINDS))
    states = parse_messages(evidence.heard, ("status", "link", "model"))
    _put(found, events_redelivered=redelivered)
    _story(found, evidence, events, states)
    _samples(found, evidence, deliveries)
    _shots(found, deliveries, events)
    _agreement(found, deliveries, scores, events, states)
    _latency(found, evidence, deliveries, scores, events)
    _recovery(found, evidence, deliveries, scores, states)
    _clock(found, deliveries, scores)
    _states(
        found, evidence, deliveries, [each for each in states if each.at_ns >= evidence.began_ns and not each.retained]
    )
    _daemon(found, evidence)
    return found


def _put(found: Assessment, **values: float | None) -> None:
    found.values |= {name: float(value) for name, value in values.items() if value is not None}


def _samples(found: Assessment, evidence: ScenarioObservations, deliveries: Mapping[str, Delivery]) -> None:
    rates = [rate for device in evidence.devices if (rate := recorded_rate_hz(device.recorded)) is not None]
    _put(
        found,
        recordings_damaged=sum(device.damaged for device in evidence.devices),
        recorded_rate_hz=min(rates) if rates else None,
        frames_corrupted=_told_sum(evidence, "stinger_frames_corrupted_total"),
    )
    counts = [
        compare_samples(deliveries[device.name], device.recorded)
        for device in evidence.devices
        if device.name in deliveries
    ]
    if not counts:
        return
    told = _told_sum(evidence, "stinger_samples_lost_total")
    lost_on_wire = sum(each.lost_on_wire for each in counts)
    _put(
        found,
        samples_sent=sum(each.sent for each in counts),
        samples_lost=sum(each.lost for each in counts),
        samples_foreign=sum(each.foreign for each in counts),
        samples_repeated=sum(each.repeated for each in counts),
        samples_disordered=sum(each.disordered for each in counts),
        samples_lost_on_wire=lost_on_wire,
        samples_miscounted=None if told is None else abs(told - lost_on_wire),
    )


def _told_sum(evidence: ScenarioObservations, metric: str) -> float | None:
    told = [device.told[metric] for device in evidence.devices if metric in device.told]
    return sum(told) if len(told) == len(evidence.devices) else None


def _shots(found: Assessment, deliveries: Mapping[str, Delivery], events: Sequence[DaemonMessage]) -> None:
    if not deliveries:
        return
    counts = [
        compare_shots(delivery, [each for each in events if each.kind == "shot" and each.device == name])
        for name, delivery in deliveries.items()
    ]
    _put(
        found,
        shots_sent=sum(each.sent for each in counts),
        shots_accepted=sum(each.accepted for each in counts),
        shots_lost=sum(each.lost for each in counts),
        shots_invented=sum(each.invented for each in counts),
        shots_repeated=sum(each.repeated for each in counts),
        shots_misjudged=sum(each.misjudged for each in counts),
    )


def _story(
    found: Assessment, evidence: ScenarioObservations, events: Sequence[DaemonMessage], states: Sequence[DaemonMessage]
) -> None:
    restarts_s = daemon_restarts_s(evidence.faults, [each for each in states if each.kind == "status"])
    wrong = [
        line
        for device in evidence.devices
        for line in find_contradictions([each for each in events if each.device == device.name], restarts_s=restarts_s)
    ]
    _put(found, events_contradictory=len(wrong))
    if wrong:
        found.notes["events_contradictory"] = "; ".join(wrong[:_FEW])


def _agreement(
    found: Assessment,
    deliveries: Mapping[str, Delivery],
    scores: Mapping[str, npt.NDArray[Any]],
    events: Sequence[DaemonMessage],
    states: Sequence[DaemonMessage],
) -> None:
    if not deliveries:
        return
    until_ns = first_other_model_ns([each for each in states if each.kind == "model"])
    results = [
        compare_scores(delivery, scores[name], until_ns=until_ns)
        for name, delivery in deliveries.items()
        if name in scores
    ]
    if results:
        largest = [each.largest for each in results if each.largest is not None]
        _put(
            found,
            samples_compared=sum(each.compared for each in results),
            scores_missing=sum(each.missing for each in results),
            disagreement=max(largest) if largest else None,
        )
    wheels = [
        compare_wheels(delivery, [each for each in events if each.kind == "spinup" and each.device == name])
        for name, delivery in deliveries.items()
    ]
    _put(
        found,
        wheels_compared=sum(each.compared for each in wheels),
        wheels_disagreeing=sum(each.disagreeing for each in wheels),
    )


def _latency(
    found: Assessment,
    evidence: ScenarioObservations,
    deliveries: Mapping[str, Delivery],
    scores: Mapping[str, npt.NDArray[Any]],
    events: Sequence[DaemonMessage],
) -> None:
    names = [device.name for device in evidence.devices]
    by_sample = [sample_times(deliveries.get(name), scores[name]) for name in names if name in scores]
    if by_sample:
        found.latencies += stages_of_samples(joined(by_sample))
    by_event = [event_times(deliveries.get(name), [each for each in events if each.device == name]) for name in names]
    found.latencies += stages_of_events(joined(by_event))
    if evidence.floor is not None and evidence.floor.journal is not None:
        delivery = Delivery.of(evidence.floor.journal)
        for stage, kind in ((SAMPLES, "floor_scores"), (EVENTS, "floor_shot")):
            found.latencies += floor_latency(stage, floor_times(delivery, parse_messages(evidence.heard, (kind,))))
    for name, stage in (("sample_latency", SAMPLES), ("event_latency", EVENTS)):
        latency = find_stage(found.latencies, stage)
        if latency is not None:
            found.values[f"{name}_p50_ms"] = (latency.p50_us or 0.0) / 1000
            found.values[f"{name}_p99_ms"] = (latency.p99_us or 0.0) / 1000
    whole, floor = find_stage(found.latencies, SAMPLES), find_stage(found.latencies, SAMPLES, floor=True)
    if whole is not None and floor is not None and whole.p50_us and floor.p50_us:
        _put(found, latency_over_floor=whole.p50_us / floor.p50_us)


def _recovery(
    found: Assessment,
    evidence: ScenarioObservations,
    deliveries: Mapping[str, Delivery],
    scores: Mapping[str, npt.NDArray[Any]],
    states: Sequence[DaemonMessage],
) -> None:
    status = [each for each in states if each.kind == "status"]
    seen = recoveries(evidence.faults, deliveries, scores, status)
    took = [each.took_s for each in seen]
    known = [each for each in took if each is not None]
    _put(
        found,
        recovery_s=max(known) if known and len(known) == len(took) else None,
        model_taken_s=model_taken_s(evidence.faults, [each for each in states if each.kind == "model"]),
    )
    found.timeline = moments(evidence, seen, states)


def _clock(found: Assessment, deliveries: Mapping[str, Delivery], scores: Mapping[str, npt.NDArray[Any]]) -> None:
    if len(scores) != 1:
        return
    (name, own), *_ = scores.items()
    fit = fit_clock(own)
    if fit is None:
        return
    _put(
        found,
        clock_drift_ppm=fit.drift_ppm,
        clock_drift_uncertainty_ppm=fit.drift_uncertainty_ppm,
        arrival_jitter_p99_ms=float(np.percentile(fit.later_us, 99)) / 1000,
        rate_hz=fit.rate_hz,
    )
    if name not in deliveries:
        found.latencies.append(_later(fit))


def _later(fit: ClockFit) -> Latency:
    return histogram("sample: beyond the quickest, to read", fit.later_us, uncertainty_us=fit.uncertainty_us)


def _states(
    found: Assessment,
    evidence: ScenarioObservations,
    deliveries: Mapping[str, Delivery],
    states: Sequence[DaemonMessage],
) -> None:
    alarms: list[str] = []
    for told in states:
        alarm = str(told.content.get("alarm", "")) if told.kind == "status" else ""
        if alarm and alarms[-1:] != [alarm]:
            alarms.append(alarm)
    lost = [each for each in states if each.kind == "link" and each.content.get("state") in _LOST_LINKS]
    _put(found, alarms=len(alarms), link_losses=len(lost))
    # Whether a device without a journal is still there at the end, nobody knows, nor how soon one is after a fault.
    last_ns = max((each.at_ns for each in evidence.heard), default=0)
    calm = all(each.end_ns is None or each.end_ns < last_ns - _CALM_NS for each in evidence.faults)
    links = deliveries.keys() if calm else ()
    known = [each for each in states if each.kind == "status" or (each.kind == "link" and each.device in links)]
    last = {each.device: (each.kind, each.content.get("state")) for each in known}
    if last:
        _put(found, states_untrue=sum(state != _AT_THE_END[kind] for kind, state in last.values()))
    if alarms:
        found.notes["alarms"] = "; ".join(alarms)


def _daemon(found: Assessment, evidence: ScenarioObservations) -> None:
    daemon = evidence.daemon
    _put(
        found,
        ready_s=daemon.ready_s,
        stop_s=daemon.stop_s,
        exit_code=daemon.exit_code,
        tracebacks=daemon.tracebacks,
        cpu_percent=daemon.cpu_percent,
        memory_mb=daemon.memory_mb,
        memory_growth_mb=daemon.memory_growth_mb,
        host_late_p99_ms=evidence.host_late_p99_ms,
    )

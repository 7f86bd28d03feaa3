"""Computes a scenario's measurements, latency histograms and timeline from what was observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.limits import Limit
from hil.measuring.agreement import compare_scores, compare_wheels
from hil.measuring.clock_fit import fit_clock
from hil.measuring.consistency import daemon_restarts_s, find_contradictions
from hil.measuring.definitions import MEASUREMENTS
from hil.measuring.delivery import Delivery
from hil.measuring.latency import (
    EVENTS,
    SAMPLES,
    concatenate,
    event_latencies,
    event_times,
    find_stage,
    floor_latency,
    floor_times,
    histogram,
    sample_latencies,
    sample_times,
)
from hil.measuring.messages import EVENT_KINDS, DaemonMessage, parse_messages, parse_scores
from hil.measuring.observations import ScenarioObservations
from hil.measuring.recovery import find_recoveries, first_model_change_ns, model_switch_s
from hil.measuring.samples import compare_samples, recorded_rate_hz
from hil.measuring.shots import compare_shots, drop_redelivered
from hil.measuring.states import judge_states
from hil.measuring.timeline import build_timeline
from hil.record import ARRIVAL_JITTER_STAGE, Latency, Measurement, TimelineEntry

_SHOWN_CONTRADICTIONS: Final = 3


@dataclass(slots=True)
class Assessment:
    """The results of a scenario; ``values`` holds those that could be measured, by the name of the measurement."""

    values: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    latencies: list[Latency] = field(default_factory=list)
    timeline: list[TimelineEntry] = field(default_factory=list)

    def measurements(self, limits: Mapping[str, Limit]) -> list[Measurement]:
        """Return all measurements that have a value or a limit, in the order of MEASUREMENTS."""
        return [
            Measurement(
                name,
                definition.unit,
                self.values.get(name),
                limits.get(name),
                self.notes.get(name, definition.description),
            )
            for name, definition in MEASUREMENTS.items()
            if name in self.values or name in limits
        ]

    def put(self, **values: float | None) -> None:
        """Add measured ``values``; ``None`` stays unset."""
        self.values |= {name: float(value) for name, value in values.items() if value is not None}


def assess(observations: ScenarioObservations) -> Assessment:
    """Compute every measurement that ``observations`` allow."""
    results = Assessment()
    deliveries = {
        device.name: Delivery.of(device.journal) for device in observations.devices if device.journal is not None
    }
    scores = parse_scores(observations.messages)
    events, redelivered = drop_redelivered(parse_messages(observations.messages, EVENT_KINDS))
    states = parse_messages(observations.messages, ("status", "link", "model"))
    results.put(events_redelivered=redelivered)
    _assess_consistency(results, observations, events, states)
    _assess_samples(results, observations, deliveries)
    _assess_shots(results, deliveries, events)
    _assess_agreement(results, deliveries, scores, events, states)
    _assess_latency(results, observations, deliveries, scores, events)
    _assess_recovery(results, observations, deliveries, scores, states)
    _assess_clock(results, deliveries, scores)
    _assess_states(results, observations, deliveries, states)
    _assess_daemon(results, observations)
    return results


def _assess_samples(
    results: Assessment, observations: ScenarioObservations, deliveries: Mapping[str, Delivery]
) -> None:
    rates = [rate for device in observations.devices if (rate := recorded_rate_hz(device.recorded)) is not None]
    results.put(
        recordings_damaged=sum(device.damaged for device in observations.devices),
        recorded_rate_hz=min(rates) if rates else None,
        frames_corrupted=_metric_sum(observations, "stinger_frames_corrupted_total"),
    )
    counts = [
        compare_samples(deliveries[device.name], device.recorded)
        for device in observations.devices
        if device.name in deliveries
    ]
    if not counts:
        return
    daemon_count = _metric_sum(observations, "stinger_samples_lost_total")
    lost_on_wire = sum(each.lost_on_wire for each in counts)
    results.put(
        samples_sent=sum(each.sent for each in counts),
        samples_lost=sum(each.lost for each in counts),
        samples_foreign=sum(each.foreign for each in counts),
        samples_repeated=sum(each.repeated for each in counts),
        samples_disordered=sum(each.disordered for each in counts),
        samples_lost_on_wire=lost_on_wire,
        samples_miscounted=None if daemon_count is None else abs(daemon_count - lost_on_wire),
    )


def _metric_sum(observations: ScenarioObservations, metric: str) -> float | None:
    values = [device.metrics[metric] for device in observations.devices if metric in device.metrics]
    return sum(values) if len(values) == len(observations.devices) else None


def _assess_shots(results: Assessment, deliveries: Mapping[str, Delivery], events: Sequence[DaemonMessage]) -> None:
    if not deliveries:
        return
    counts = [
        compare_shots(delivery, [each for each in events if each.kind == "shot" and each.device == name])
        for name, delivery in deliveries.items()
    ]
    results.put(
        shots_sent=sum(each.sent for each in counts),
        shots_accepted=sum(each.accepted for each in counts),
        shots_lost=sum(each.lost for each in counts),
        shots_invented=sum(each.invented for each in counts),
        shots_repeated=sum(each.repeated for each in counts),
        shots_misjudged=sum(each.misjudged for each in counts),
    )


def _assess_consistency(
    results: Assessment,
    observations: ScenarioObservations,
    events: Sequence[DaemonMessage],
    states: Sequence[DaemonMessage],
) -> None:
    restarts_s = daemon_restarts_s(observations.faults, [each for each in states if each.kind == "status"])
    lines = [
        line
        for device in observations.devices
        for line in find_contradictions([each for each in events if each.device == device.name], restarts_s=restarts_s)
    ]
    results.put(events_contradictory=len(lines))
    if lines:
        results.notes["events_contradictory"] = "; ".join(lines[:_SHOWN_CONTRADICTIONS])


def _assess_agreement(
    results: Assessment,
    deliveries: Mapping[str, Delivery],
    scores: Mapping[str, npt.NDArray[Any]],
    events: Sequence[DaemonMessage],
    states: Sequence[DaemonMessage],
) -> None:
    if not deliveries:
        return
    until_ns = first_model_change_ns([each for each in states if each.kind == "model"])
    compared = [
        compare_scores(delivery, scores[name], until_ns=until_ns)
        for name, delivery in deliveries.items()
        if name in scores
    ]
    if compared:
        largest = [each.largest_difference for each in compared if each.largest_difference is not None]
        results.put(
            samples_compared=sum(each.compared for each in compared),
            scores_missing=sum(each.missing for each in compared),
            disagreement=max(largest) if largest else None,
        )
    wheels = [
        compare_wheels(delivery, [each for each in events if each.kind == "spinup" and each.device == name])
        for name, delivery in deliveries.items()
    ]
    results.put(
        wheels_compared=sum(each.compared for each in wheels),
        wheels_disagreeing=sum(each.disagreeing for each in wheels),
    )


def _assess_latency(
    results: Assessment,
    observations: ScenarioObservations,
    deliveries: Mapping[str, Delivery],
    scores: Mapping[str, npt.NDArray[Any]],
    events: Sequence[DaemonMessage],
) -> None:
    names = [device.name for device in observations.devices]
    by_sample = [sample_times(deliveries.get(name), scores[name]) for name in names if name in scores]
    if by_sample:
        results.latencies += sample_latencies(concatenate(by_sample))
    by_event = [event_times(deliveries.get(name), [each for each in events if each.device == name]) for name in names]
    results.latencies += event_latencies(concatenate(by_event))
    if observations.floor is not None and observations.floor.journal is not None:
        delivery = Delivery.of(observations.floor.journal)
        for stage, kind in ((SAMPLES, "floor_scores"), (EVENTS, "floor_shot")):
            times = floor_times(delivery, parse_messages(observations.messages, (kind,)))
            results.latencies += floor_latency(stage, times)
    for name, stage in (("sample_latency", SAMPLES), ("event_latency", EVENTS)):
        latency = find_stage(results.latencies, stage)
        if latency is not None:
            results.values[f"{name}_p50_ms"] = (latency.p50_us or 0.0) / 1000
            results.values[f"{name}_p99_ms"] = (latency.p99_us or 0.0) / 1000
    whole, floor = find_stage(results.latencies, SAMPLES), find_stage(results.latencies, SAMPLES, floor=True)
    if whole is not None and floor is not None and whole.p50_us and floor.p50_us:
        results.put(latency_over_floor=whole.p50_us / floor.p50_us)


def _assess_recovery(
    results: Assessment,
    observations: ScenarioObservations,
    deliveries: Mapping[str, Delivery],
    scores: Mapping[str, npt.NDArray[Any]],
    states: Sequence[DaemonMessage],
) -> None:
    status = [each for each in states if each.kind == "status"]
    recoveries = find_recoveries(observations.faults, deliveries, scores, status)
    times_s = [each.time_s for each in recoveries]
    known_s = [time_s for time_s in times_s if time_s is not None]
    results.put(
        recovery_s=max(known_s) if known_s and len(known_s) == len(times_s) else None,
        model_taken_s=model_switch_s(observations.faults, [each for each in states if each.kind == "model"]),
    )
    results.timeline = build_timeline(observations, recoveries, states)


def _assess_clock(
    results: Assessment, deliveries: Mapping[str, Delivery], scores: Mapping[str, npt.NDArray[Any]]
) -> None:
    if len(scores) != 1:
        return
    (name, own), *_ = scores.items()
    fit = fit_clock(own)
    if fit is None:
        return
    results.put(
        clock_drift_ppm=fit.drift_ppm,
        clock_drift_uncertainty_ppm=fit.drift_uncertainty_ppm,
        arrival_jitter_p99_ms=float(np.percentile(fit.excess_us, 99)) / 1000,
        rate_hz=fit.rate_hz,
    )
    if name not in deliveries:
        jitter = histogram(ARRIVAL_JITTER_STAGE, fit.excess_us, uncertainty_us=fit.uncertainty_us)
        results.latencies.append(jitter)


def _assess_states(
    results: Assessment,
    observations: ScenarioObservations,
    deliveries: Mapping[str, Delivery],
    states: Sequence[DaemonMessage],
) -> None:
    judged = judge_states(observations, deliveries.keys(), states)
    results.put(alarms=len(judged.alarms), link_losses=judged.link_losses, states_untrue=judged.untrue)
    if judged.alarms:
        results.notes["alarms"] = "; ".join(judged.alarms)


def _assess_daemon(results: Assessment, observations: ScenarioObservations) -> None:
    daemon = observations.daemon
    results.put(
        ready_s=daemon.ready_s,
        stop_s=daemon.stop_s,
        exit_code=daemon.exit_code,
        tracebacks=daemon.tracebacks,
        cpu_percent=daemon.cpu_percent,
        memory_mb=daemon.memory_mb,
        memory_growth_mb=daemon.memory_growth_mb,
        host_late_p99_ms=observations.host_late_p99_ms,
        host_late_longest_ms=observations.host_late_longest_ms,
    )

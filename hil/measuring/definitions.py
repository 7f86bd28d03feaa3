"""Defines every measurement: its name, unit, meaning, and the default limit of scenarios that set none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hil.limits import Limit

ZERO: Final = Limit(at_most=0)
SCORE_TOLERANCE: Final = 2e-4
"""Largest difference between host and device. The blaster computes variances as differences of large float32 numbers;
in 32 minutes of synthetic sessions that changed a probability by at most 8.5e-5."""


@dataclass(frozen=True, slots=True)
class MeasurementDefinition:
    """What a measurement means, and when it applies.

    ``timing``: the value depends on how busy the machine is, so that missing a limit on a busy machine proves nothing.
    ``time_dependent``: the value is no time, but depends on limits of time, such as those for the silence of a blaster
    and for reading what it sent last, so that missing a limit proves nothing if processes stood still. ``journal``: the
    value can only be measured with the device's journal, which only an emulated device keeps.
    """

    unit: str
    description: str
    limit: Limit | None = None
    timing: bool = False
    time_dependent: bool = False
    journal: bool = False


_Definition = MeasurementDefinition

MEASUREMENTS: Final[dict[str, MeasurementDefinition]] = {
    "samples_sent": _Definition("samples", "Samples that the device sent intact and in order", journal=True),
    "samples_lost": _Definition(
        "samples", "Samples sent intact and in order that are in no recording", ZERO, journal=True, time_dependent=True
    ),
    "samples_foreign": _Definition("samples", "Recorded samples that the device never sent", ZERO, journal=True),
    "samples_repeated": _Definition("samples", "Samples recorded more often than sent", ZERO, journal=True),
    "samples_disordered": _Definition(
        "samples", "Samples recorded after one that the device sent later", ZERO, journal=True
    ),
    "samples_lost_on_wire": _Definition(
        "samples", "Samples lost between device and daemon, by gaps in the sequence numbers", journal=True
    ),
    "samples_miscounted": _Definition(
        "samples",
        "Difference between the samples lost on the wire and the daemon's own count of them",
        ZERO,
        journal=True,
        time_dependent=True,
    ),
    "recordings_damaged": _Definition(
        "files",
        "Recordings with a torn record, not closed, or that differ from their sidecar",
        ZERO,
        time_dependent=True,  # a daemon that stops closes what it can within its time
    ),
    "recorded_rate_hz": _Definition("Hz", "Samples per second in the recordings, ignoring gaps"),
    "shots_sent": _Definition(
        "shots",
        "Trigger edges in the samples that the device sent intact",
        Limit(at_least=1),
        journal=True,
        time_dependent=True,
    ),
    "shots_accepted": _Definition(
        "shots", "Trigger edges that come late enough after the previous accepted one", journal=True
    ),
    "shots_lost": _Definition("shots", "Trigger edges without a shot event", ZERO, journal=True, time_dependent=True),
    "shots_invented": _Definition("shots", "Shot events without a trigger edge", ZERO, journal=True),
    "shots_repeated": _Definition(
        "shots",
        "Further shot events, with ids of their own, for a trigger edge that already has one",
        ZERO,
        journal=True,
    ),
    "shots_misjudged": _Definition(
        "shots",
        "Shot events marked accepted that come too soon after another shot, or the reverse",
        ZERO,
        journal=True,
        time_dependent=True,
    ),
    "events_contradictory": _Definition(
        "events",
        "Events that contradict earlier ones: shots, spin-ups, false spin-ups, leads, durations",
        ZERO,
        time_dependent=True,
    ),
    "events_redelivered": _Definition("messages", "Events delivered again with the same id", ZERO, time_dependent=True),
    "scores_missing": _Definition(
        "samples", "Samples with a full window whose score the daemon published as null", ZERO, journal=True
    ),
    "samples_compared": _Definition(
        "samples",
        "Samples for which the device's score was compared with the daemon's",
        Limit(at_least=100),
        journal=True,
        time_dependent=True,
    ),
    "disagreement": _Definition(
        "",
        "Largest difference between the device's probability and the daemon's",
        Limit(at_most=SCORE_TOLERANCE),
        journal=True,
    ),
    "wheels_compared": _Definition("switches", "Wheel switches by the device's own decision", journal=True),
    "wheels_disagreeing": _Definition(
        "switches", "Wheel switches that only the device or only the daemon made", timing=True, journal=True
    ),
    "event_latency_p50_ms": _Definition(
        "ms", "From writing a sample to receiving the event it caused, median", timing=True
    ),
    "event_latency_p99_ms": _Definition(
        "ms", "From writing a sample to receiving the event it caused, 99th percentile", timing=True
    ),
    "sample_latency_p50_ms": _Definition("ms", "From writing a sample to receiving its score, median", timing=True),
    "sample_latency_p99_ms": _Definition(
        "ms", "From writing a sample to receiving its score, 99th percentile", timing=True
    ),
    "latency_over_floor": _Definition(
        "times",
        "Median from writing a sample to receiving its score, divided by that of the same path without a daemon",
        timing=True,
    ),
    "recovery_s": _Definition(
        "s",
        "Longest recovery time: from the end of a fault to receiving the first score of a later sample",
        timing=True,
    ),
    "model_taken_s": _Definition("s", "From the promotion of a model to its first use", timing=True),
    "alarms": _Definition("alarms", "Alarms raised by the daemon", time_dependent=True),
    "states_untrue": _Definition(
        "states",
        "Wrong final states: the link of a device that is present not streaming until the daemon stopped, or an ended daemon not offline",
        ZERO,
        time_dependent=True,
    ),
    "link_losses": _Definition(
        "times", "Times that the daemon published a link as lost or silent", time_dependent=True
    ),
    "clock_drift_ppm": _Definition("ppm", "How much faster the device's clock runs than this machine's"),
    "clock_drift_uncertainty_ppm": _Definition("ppm", "Uncertainty of the clock drift"),
    "arrival_jitter_p99_ms": _Definition(
        "ms", "How much later than the fastest sample a sample was read, 99th percentile", timing=True
    ),
    "rate_hz": _Definition("Hz", "Samples per second, by the device's clock"),
    "frames_corrupted": _Definition("frames", "Damaged frames, counted by the daemon"),
    "ready_s": _Definition("s", "From starting the daemon until it is ready", timing=True),
    "stop_s": _Definition("s", "From SIGTERM to the end of the daemon", Limit(at_most=3.0, marginal=1.0), timing=True),
    "exit_code": _Definition(
        "", "Exit code of the daemon; a negative one is the signal that ended it", Limit(at_least=0, at_most=0)
    ),
    "tracebacks": _Definition("", "Tracebacks in the daemon's log", ZERO),
    "cpu_percent": _Definition("%", "CPU time of the daemon, as a share of one core", timing=True),
    "memory_mb": _Definition("MB", "Resident memory of the daemon at the end"),
    "memory_growth_mb": _Definition("MB", "Growth of the daemon's resident memory since the scenario's first quarter"),
    "host_late_p99_ms": _Definition("ms", "How late this machine wakes a sleeping process, 99th percentile"),
    "host_late_longest_ms": _Definition("ms", "How late this machine woke a sleeping process at most"),
}


def default_limits(*, journal: bool) -> dict[str, Limit]:
    """Return the limits of a scenario that sets none; without ``journal``, only those that need no journal."""
    return {
        name: definition.limit
        for name, definition in MEASUREMENTS.items()
        if definition.limit is not None and (journal or not definition.journal)
    }

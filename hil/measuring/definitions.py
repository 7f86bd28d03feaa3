"""Every measurement by its name: its unit, what it says, and the limit that holds where a scenario sets none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hil.limits import Limit

NONE: Final = Limit(at_most=0)
"""Not a single one."""
AGREEMENT: Final = 1e-5
"""How far apart host and device may be: both compute in float32, each in its own order of adding."""


@dataclass(frozen=True, slots=True)
class Kind:
    """``timing`` says that it depends on how busy the machine is: on a noisy one, to fail proves nothing.

    ``journal`` says that it cannot be known without the device's journal, which only an emulated one keeps.
    """

    unit: str
    says: str
    limit: Limit | None = None
    timing: bool = False
    journal: bool = False


MEASUREMENTS: Final[dict[str, Kind]] = {
    "samples_sent": Kind("samples", "Samples that the device sent intact", journal=True),
    "samples_lost": Kind("samples", "Samples sent intact, in order, that are in no recording", NONE, journal=True),
    "samples_foreign": Kind(
        "samples", "Samples in a recording that were never sent as they stand there", NONE, journal=True
    ),
    "samples_repeated": Kind("samples", "Samples recorded more often than they were sent", NONE, journal=True),
    "samples_disordered": Kind(
        "samples", "Samples recorded behind one that the device had sent later", NONE, journal=True
    ),
    "samples_lost_on_wire": Kind("samples", "Samples lost on the way, as sequence numbers tell", journal=True),
    "samples_miscounted": Kind(
        "samples",
        "Difference between the samples lost on the way and those that the daemon says it lost",
        NONE,
        journal=True,
    ),
    "recordings_damaged": Kind(
        "files", "Recordings with a torn record, not closed, or at odds with their sidecar", NONE
    ),
    "recorded_rate_hz": Kind("Hz", "Samples a second in the recordings, gaps left aside"),
    "shots_sent": Kind("shots", "Trigger edges in what the device sent intact", Limit(at_least=1), journal=True),
    "shots_accepted": Kind("shots", "Trigger edges that come late enough after the last accepted one", journal=True),
    "shots_lost": Kind("shots", "Trigger edges of which no subscriber was told", NONE, journal=True),
    "shots_invented": Kind("shots", "Shots told of that were none", NONE, journal=True),
    "shots_repeated": Kind("shots", "Shots told of more than once, as if they were several", NONE, journal=True),
    "shots_misjudged": Kind(
        "shots",
        "Shots told to be accepted that come too soon after another, or the other way round",
        NONE,
        journal=True,
    ),
    "events_contradictory": Kind(
        "events", "Events that cannot be so after those before them: shots, spin-ups, their ends, leads", NONE
    ),
    "events_redelivered": Kind("messages", "Events that came once more with the same id", NONE),
    "scores_missing": Kind(
        "samples", "Samples that should have had a score and were told to have none", NONE, journal=True
    ),
    "samples_compared": Kind(
        "samples", "Samples scored by the device and by the daemon alike", Limit(at_least=100), journal=True
    ),
    "disagreement": Kind(
        "",
        "Largest difference between the device's probability and the daemon's",
        Limit(at_most=AGREEMENT),
        journal=True,
    ),
    "wheels_compared": Kind("switches", "Switches of the device's own wheels", journal=True),
    "wheels_disagreeing": Kind(
        "switches", "Switches of the wheels that only one of device and daemon made", timing=True, journal=True
    ),
    "event_latency_p50_ms": Kind("ms", "From a sample's writing to its event at a subscriber, median", timing=True),
    "event_latency_p99_ms": Kind(
        "ms", "From a sample's writing to its event at a subscriber, 99th percentile", timing=True
    ),
    "sample_latency_p50_ms": Kind("ms", "From a sample's writing to its score at a subscriber, median", timing=True),
    "sample_latency_p99_ms": Kind(
        "ms", "From a sample's writing to its score at a subscriber, 99th percentile", timing=True
    ),
    "latency_over_floor": Kind(
        "times",
        "Median from a sample's writing to its score at a subscriber, over what the same path takes without a daemon",
        timing=True,
    ),
    "recovery_s": Kind(
        "s",
        "From the end of a fault to the first score of a later sample at a subscriber, the longest of all",
        timing=True,
    ),
    "model_taken_s": Kind("s", "From the promotion of a model to its use", timing=True),
    "alarms": Kind("alarms", "Alarms that the daemon raised"),
    "states_untrue": Kind(
        "states", "Last states told that are wrong: a link still there not streaming, a daemon gone not offline", NONE
    ),
    "link_losses": Kind("times", "Times that the daemon told of a link lost or silent"),
    "clock_drift_ppm": Kind("ppm", "How much faster the device's clock runs than this machine's"),
    "clock_drift_uncertainty_ppm": Kind("ppm", "How far off the drift of the clock may be"),
    "arrival_jitter_p99_ms": Kind(
        "ms", "How much later than the quickest a sample was read, 99th percentile", timing=True
    ),
    "rate_hz": Kind("Hz", "Samples a second, by the device's clock"),
    "frames_corrupted": Kind("frames", "Frames that came damaged, by the daemon"),
    "ready_s": Kind("s", "From the daemon's start to ready", timing=True),
    "stop_s": Kind("s", "From asking the daemon to end to its end", Limit(at_most=3.0, marginal=1.0), timing=True),
    "exit_code": Kind("", "With which the daemon ended; below 0: by which signal", Limit(at_least=0, at_most=0)),
    "tracebacks": Kind("", "Tracebacks in the daemon's log", NONE),
    "cpu_percent": Kind("%", "Of one core that the daemon took", timing=True),
    "memory_mb": Kind("MB", "That the daemon had resident at the end"),
    "memory_growth_mb": Kind("MB", "By which that grew since the scenario's first quarter"),
    "host_late_p99_ms": Kind("ms", "How late this machine wakes a process that sleeps, 99th percentile"),
}


def default_limits(*, journal: bool) -> dict[str, Limit]:
    """The limits of a scenario that says nothing else of them, with or without those that need a journal."""
    return {
        name: kind.limit
        for name, kind in MEASUREMENTS.items()
        if kind.limit is not None and (journal or not kind.journal)
    }

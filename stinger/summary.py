"""A summary of a log as plain values, for ``stinger info`` and for ``summary.json``."""

from __future__ import annotations

from typing import Any

from stinger.logs import Log
from stinger.recording import Recording
from stinger.sample import CHANNELS, axes
from stinger.shots import find_shots


def summarise(log: Log, *, min_shot_gap_ms: float) -> dict[str, Any]:
    """Return counts, times and ranges of ``log`` as JSON-ready values: ms or s, rates in Hz, channels in raw LSB."""
    channels = axes(log.samples)
    recordings = [_summarise_recording(recording, min_shot_gap_ms) for recording in log.recordings]
    return {
        "path": log.path,
        "format": log.format.name.lower(),
        "sha256": log.sha256,
        "samples": int(log.samples.shape[0]),
        "duration_s": round(sum(part["duration_s"] for part in recordings), 3),
        "shots": {key: sum(part["shots"][key] for part in recordings) for key in ("edges", "accepted", "rejected")},
        "min_shot_gap_ms": min_shot_gap_ms,
        "gaps": sum(len(part["gaps"]) for part in recordings),
        "clipped": log.repairs.clipped,
        "trailing_bytes": log.repairs.trailing_bytes,
        "zero_bytes": log.repairs.zero_bytes,
        "damaged_bytes": log.repairs.damaged_bytes,
        "torn_lines": len(log.repairs.torn_lines),
        "late_samples": len(log.repairs.late),
        "channels": {
            name: {"min": int(channels[:, i].min()), "max": int(channels[:, i].max())}
            for i, name in enumerate(CHANNELS)
        },
        "recordings": recordings,
    }


def _summarise_recording(recording: Recording, min_shot_gap_ms: float) -> dict[str, Any]:
    shots = find_shots(recording, min_shot_gap_ms=min_shot_gap_ms)
    accepted = int(shots.accepted.sum())
    gaps = recording.gaps()
    return {
        "samples": len(recording),
        "start_ms": int(recording.time_ms[0]),
        "duration_s": round(recording.duration_ms / 1000, 3),
        "rate_hz": None if recording.rate_hz is None else round(recording.rate_hz, 3),
        "rate_problem": recording.rate.problem,
        "gaps": [
            {
                "after_ms": int(recording.time_ms[i - 1]),
                "length_ms": int(recording.time_ms[i] - recording.time_ms[i - 1]),
            }
            for i in gaps.tolist()
        ],
        "shots": {"edges": len(shots), "accepted": accepted, "rejected": len(shots) - accepted},
    }

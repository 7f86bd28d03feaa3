"""A summary of a log as plain values, for ``stinger info`` and for ``summary.json``."""

from __future__ import annotations

from typing import Any

from stinger.logs import Log
from stinger.marks import Marks
from stinger.recording import Recording
from stinger.sample import CHANNELS, axes
from stinger.shots import ShotCounts, count_shots


def summarise(log: Log, *, min_shot_gap_ms: float) -> dict[str, Any]:
    """Return counts, times and ranges of ``log`` as JSON-ready values: ms or s, rates in Hz, channels in raw LSB.

    Trigger edges that the log's marks leave out, or mark as no shot, are neither accepted nor rejected.
    """
    channels = axes(log.samples)
    marks = [log.marks_of(position) for position in range(len(log.recordings))]
    counts = [
        count_shots(recording, min_shot_gap_ms=min_shot_gap_ms, marks=marked)
        for recording, marked in zip(log.recordings, marks, strict=True)
    ]
    recordings = [_summarise_recording(*one) for one in zip(log.recordings, counts, marks, strict=True)]
    shots = sum(counts, ShotCounts())
    return {
        "path": log.path,
        "format": log.format.name.lower(),
        "sha256": log.sha256,
        "samples": int(log.samples.shape[0]),
        "duration_s": round(sum(part["duration_s"] for part in recordings), 3),
        "shots": _shots(shots),
        "marks": {
            "left_out_s": round(sum(marked.left_out_ms for marked in marks) / 1000, 3),
            "edges_left_out": shots.left_out,
            "edges_not_shots": shots.not_shots,
        },
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


def _shots(counts: ShotCounts) -> dict[str, int]:
    return {"edges": counts.edges, "accepted": counts.accepted, "rejected": counts.rejected}


def _summarise_recording(recording: Recording, counts: ShotCounts, marks: Marks) -> dict[str, Any]:
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
        "shots": _shots(counts),
        "marks": marks.to_json(),
    }

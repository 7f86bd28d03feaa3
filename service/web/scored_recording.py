"""A recording with a model's output over it, its shots, and the wheels, as the picture shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.choice import choose_stored_model
from models.decision import Decision
from models.registry import Registry
from models.scorer import score_recording
from replay.evaluation.events import match_events
from service.web.daemon_state import MarkKind
from service.web.score_history import POINT
from stinger.errors import InputError
from stinger.logs import read_log
from stinger.sample import SAMPLE_RATE_HZ
from stinger.shots import MIN_LEAD_MS, find_shots

LONGEST_SAMPLES: Final = 3600 * SAMPLE_RATE_HZ
"""The page shows the first hour of a recording."""


@dataclass(frozen=True, slots=True)
class StillMark:
    """An event at ``time_ms`` after the first sample."""

    time_ms: float
    kind: MarkKind
    lead_ms: float | None = None


@dataclass(frozen=True, slots=True)
class ScoredRecording:
    """What the picture of a recording needs. Times are in milliseconds after its first sample."""

    samples: bytes
    """17-byte sample records, with those times."""
    scores: bytes
    """In the form of :data:`~service.web.score_history.POINT`; empty if the model cannot score the recording's rate."""
    marks: tuple[StillMark, ...]
    threshold: float
    count: int
    """Number of samples."""
    hint: str
    """What is not shown, and why; empty if all is."""

    @property
    def shots(self) -> tuple[StillMark, ...]:
        """The accepted shots."""
        return tuple(mark for mark in self.marks if mark.kind in ("in time", "late"))


def score_stored(path: Path, registry: Registry, model_name: str) -> ScoredRecording:
    """Read the recording ``path`` and score it with a model of ``registry``. Takes up to a second: not for an event loop.

    Raises :class:`InputError` for a recording or a model that cannot be read.
    """
    model = choose_stored_model(model_name, registry).model
    recordings = read_log(path).recordings
    if not recordings:
        raise InputError("it has no samples")
    recording = recordings[0]
    hints = [f"Only the first of its {len(recordings)} boots is shown."] if len(recordings) > 1 else []
    problem = recording.rate.problem
    if problem is not None:
        hints.append(f"Not scored: it has {problem}.")
    if len(recording) > LONGEST_SAMPLES:
        hints.append("Only its first hour is shown.")
    count = min(len(recording), LONGEST_SAMPLES)
    start_ms = int(recording.time_ms[0])
    samples = recording.samples[:count].copy()
    samples["timestamp_ms"] = recording.time_ms[:count] - start_ms
    outputs = np.full(len(recording), np.nan) if problem else score_recording(model, recording)
    decision = Decision(model.meta.decision)
    decisions = decision.push(recording.time_ms, outputs)
    points = np.zeros(count, POINT)
    points["time_ms"] = samples["timestamp_ms"]
    points["probability"] = outputs[:count]
    points["envelope"] = decisions.envelope[:count]
    switches = [(switch.time_ms, switch.on) for switch in decisions.switches]
    marks = [StillMark(time_ms - start_ms, "on" if on else "off") for time_ms, on in switches]
    shots = find_shots(recording)
    spin_ups = _spin_ups(switches, int(recording.time_ms[-1]) + 1)
    on_for_ms = match_events(spin_ups, shots.time_ms, min_lead_ms=MIN_LEAD_MS).on_for_ms
    for time_ms, accepted, lead_ms in zip(shots.time_ms.tolist(), shots.accepted, on_for_ms.tolist(), strict=True):
        kind: MarkKind = ("in time" if lead_ms >= MIN_LEAD_MS else "late") if accepted else "burst"
        marks.append(StillMark(time_ms - start_ms, kind, None if np.isnan(lead_ms) else lead_ms))
    return ScoredRecording(
        samples=samples.tobytes(),
        scores=b"" if problem else points.tobytes(),
        marks=tuple(sorted(marks, key=lambda mark: mark.time_ms)),
        threshold=model.meta.decision.on,
        count=count,
        hint=" ".join(hints),
    )


def _spin_ups(switches: list[tuple[int, bool]], end_ms: int) -> npt.NDArray[Any]:
    """Return ``(k, 2)``: when the wheels went on and off; the last one ends at ``end_ms`` if they stayed on."""
    times = [time_ms for time_ms, _ in switches]
    if len(times) % 2:
        times.append(end_ms)
    return np.array(times, np.int64).reshape(-1, 2)

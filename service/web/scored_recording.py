"""A recording with the output of one or two models over it, as the page shows it.

It has its shots, the wheels and the marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from models.choice import CHAMPION, choose_stored_model, open_version
from models.decision import Decision
from models.model_file import Model
from models.registry import Registry
from models.scorer import score_recording
from models.version import Version
from replay.evaluation.events import match_events
from service.web.daemon_state import MarkKind
from service.web.score_history import POINT
from stinger.errors import InputError
from stinger.logs import Log, read_marked_log
from stinger.marks import Marks
from stinger.recording import Recording
from stinger.sample import SAMPLE_RATE_HZ
from stinger.shots import MIN_LEAD_MS, Shots, find_shots

PART_SAMPLES: Final = 3600 * SAMPLE_RATE_HZ
"""The page shows an hour of a recording at a time."""
_WARM_UP_SAMPLES: Final = 30 * SAMPLE_RATE_HZ
"""Number of samples before a part over which model and decision run first: enough to forget all earlier ones."""

_MODELS_KEPT: Final = 4

StillKind = MarkKind | Literal["not a shot", "left out"]


@dataclass(frozen=True, slots=True)
class StillMark:
    """An event at ``time_ms`` after the first sample of its recording."""

    time_ms: float
    kind: StillKind
    lead_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What is shown at a time: at most an hour of one recording, the samples ``[start, stop)``."""

    position: int
    """Position of the recording in its file."""
    start: int
    stop: int
    text: str
    """For people; empty if it is all there is."""


@dataclass(frozen=True, slots=True)
class ModelOverPart:
    """What one model does over a part."""

    scores: bytes
    """In the form of :data:`~service.web.score_history.POINT`; empty if the model cannot score the recording's rate."""
    switches: tuple[StillMark, ...]
    """When the wheels go on and off."""
    shots: tuple[StillMark, ...]
    """All pulls of the trigger, with what this model makes of them."""
    threshold: float


@dataclass(frozen=True, slots=True)
class ScoredRecording:
    """What the picture of a part of a recording needs.

    Times are in milliseconds after the first sample of the recording.
    """

    samples: bytes
    """17-byte sample records, with those times."""
    models: tuple[ModelOverPart, ...]
    """Of the model that was chosen, and of the one to compare it with if there is one."""
    count: int
    """Number of samples."""
    hint: str
    """What is not shown, and why; empty if all is."""
    parts: tuple[Part, ...]
    part: int
    """Which of :attr:`parts` this is."""
    marked: Marks
    """The marks of the whole recording."""
    length_ms: int
    """Time of the last sample of the recording."""

    @property
    def first(self) -> ModelOverPart:
        """The model that was chosen."""
        return self.models[0]

    @property
    def marks(self) -> tuple[StillMark, ...]:
        """Wheels and shots with the model that was chosen, in order of time."""
        return tuple(sorted((*self.first.switches, *self.first.shots), key=lambda mark: mark.time_ms))

    @property
    def scores(self) -> bytes:
        """The scores of the model that was chosen."""
        return self.first.scores

    @property
    def threshold(self) -> float:
        """The threshold of the model that was chosen."""
        return self.first.threshold

    @property
    def position(self) -> int:
        """Position of the recording in its file."""
        return self.parts[self.part].position

    @property
    def shots(self) -> tuple[StillMark, ...]:
        """The accepted shots that are neither left out nor marked as no shot."""
        return tuple(mark for mark in self.first.shots if mark.kind in ("in time", "late"))


def score_stored(
    path: Path,
    registry: Registry,
    model_name: str,
    *,
    compared: str = "",
    part: int = 0,
    part_samples: int = PART_SAMPLES,
) -> ScoredRecording:
    """Read a part of the recording ``path`` and score it with a model of ``registry``.

    With ``compared``, score it with that model as well. Parts have ``part_samples`` samples.

    Takes up to a second: not for an event loop. Raises :class:`InputError` for a recording, part or model that cannot
    be read.
    """
    names = [model_name, *([compared] if compared else [])]
    models = [_model(name, registry) for name in names]
    log = read_marked_log(path)
    parts = _parts_of(log, part_samples)
    if not parts:
        raise InputError("it has no samples")
    if not 0 <= part < len(parts):
        raise InputError(f"it has no part {part + 1}: there are {len(parts)}")
    shown = parts[part]
    recording, marks = log.recordings[shown.position], log.marks_of(shown.position)
    start_ms = int(recording.time_ms[0])
    samples = recording.samples[shown.start : shown.stop].copy()
    samples["timestamp_ms"] = recording.time_ms[shown.start : shown.stop] - start_ms
    problem = recording.rate.problem
    shots = find_shots(recording, marks=marks)
    return ScoredRecording(
        samples=samples.tobytes(),
        models=tuple(_over_part(model, recording, shots, marks, shown) for model in models),
        count=len(samples),
        hint=f"Not scored: it has {problem}." if problem is not None else "",
        parts=parts,
        part=part,
        marked=marks,
        length_ms=int(recording.time_ms[-1]) - start_ms,
    )


def _model(name: str, registry: Registry) -> Model:
    """Open a model as :func:`choose_stored_model` does.

    One of the registry that was shown before is not tried again.
    """
    versions = [registry.champion()] if name == CHAMPION else registry.versions()
    version = next((one for one in versions if one is not None and name in (one.id, CHAMPION)), None)
    return choose_stored_model(name, registry).model if version is None else _opened(version, version.state())


@lru_cache(_MODELS_KEPT)
def _opened(version: Version, _state: tuple[object, ...]) -> Model:
    return open_version(version).model


def _parts_of(log: Log, samples: int) -> tuple[Part, ...]:
    spans = [
        (position, start, min(start + samples, len(recording)))
        for position, recording in enumerate(log.recordings)
        for start in range(0, len(recording), samples)
    ]
    several = len(log.recordings) > 1
    texts = [
        f"{f'recording {position + 1}, ' if several else ''}{_span_text(log.recordings[position], start, stop)}"
        for position, start, stop in spans
    ]
    return tuple(Part(*span, text=text if len(spans) > 1 else "") for span, text in zip(spans, texts, strict=True))


def _over_part(model: Model, recording: Recording, shots: Shots, marks: Marks, part: Part) -> ModelOverPart:
    first = max(0, part.start - _WARM_UP_SAMPLES)
    time_ms = recording.time_ms[first : part.stop]
    start_ms = int(recording.time_ms[0])
    scored = recording.rate.problem is None
    scored_part = Recording(recording.samples[first : part.stop], time_ms, recording.rate)
    outputs = score_recording(model, scored_part) if scored else np.full(time_ms.size, np.nan)
    decisions = Decision(model.meta.decision).push(time_ms, outputs)
    points = np.zeros(part.stop - part.start, POINT)
    points["time_ms"] = recording.time_ms[part.start : part.stop] - start_ms
    points["probability"] = outputs[part.start - first :]
    points["envelope"] = decisions.envelope[part.start - first :]
    switches = [(switch.time_ms, switch.on) for switch in decisions.switches]
    within = (shots.index >= part.start) & (shots.index < part.stop)
    shown = shots.take(within, shots.index[within])
    spin_ups = _spin_ups(switches, int(time_ms[-1]) + 1)
    on_for_ms = match_events(spin_ups, shown.time_ms, min_lead_ms=MIN_LEAD_MS).on_for_ms
    return ModelOverPart(
        scores=points.tobytes() if scored else b"",
        switches=tuple(StillMark(at - start_ms, "on" if on else "off") for at, on in switches),
        shots=_shot_marks(shown, on_for_ms, start_ms, marks),
        threshold=model.meta.decision.on,
    )


def _shot_marks(shots: Shots, on_for_ms: npt.NDArray[np.float64], start_ms: int, marks: Marks) -> tuple[StillMark, ...]:
    found = []
    for time_ms, accepted, dismissed, lead_ms in zip(
        (shots.time_ms - start_ms).tolist(), shots.accepted, shots.dismissed, on_for_ms.tolist(), strict=True
    ):
        kind: StillKind = "in time" if lead_ms >= MIN_LEAD_MS else "late"
        if not accepted and not dismissed:
            kind = "burst"
        elif any(first <= time_ms <= last for first, last in marks.left_out):
            kind = "left out"
        elif dismissed:
            kind = "not a shot"
        found.append(StillMark(time_ms, kind, None if np.isnan(lead_ms) else lead_ms))
    return tuple(found)


def _span_text(recording: Recording, start: int, stop: int) -> str:
    times_s = (recording.time_ms[[start, stop - 1]] - recording.time_ms[0]) / 1000
    return " to ".join(f"{int(at // 3600)}:{int(at // 60) % 60:02d}:{int(at % 60):02d}" for at in times_s.tolist())


def _spin_ups(switches: Sequence[tuple[int, bool]], end_ms: int) -> npt.NDArray[Any]:
    """Return ``(k, 2)``: when the wheels went on and off; the last one ends at ``end_ms`` if they stayed on."""
    times = [time_ms for time_ms, _ in switches]
    if len(times) % 2:
        times.append(end_ms)
    return np.array(times, np.int64).reshape(-1, 2)

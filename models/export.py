"""Build a training set from sessions: positive windows before shots, negative windows elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from models.candidate_windows import CandidateWindows, find_candidates
from models.dataset import Dataset
from models.labelled_windows import (
    LabelledWindows,
    accepted_ms,
    join_windows,
    labelled_windows,
    nearest_shots,
    usable_sessions,
)
from models.negatives import NegativeOptions, choose_negatives
from models.sessions import Session
from models.windows import LEAD_MS, WINDOW_MS, Indices, Span, unbroken_before
from stinger.errors import InputError
from stinger.sample import CHANNELS


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Which windows form a training set. ``seed`` decides which of the possible negatives are chosen."""

    lead_ms: float = LEAD_MS
    window_ms: float = WINDOW_MS
    negatives: NegativeOptions = field(default_factory=NegativeOptions)
    seed: int = 1


def build_dataset(sessions: Sequence[Session], options: ExportOptions, *, about: Mapping[str, Any]) -> Dataset:
    """Build the training set of ``sessions``.

    Positives come first, then negatives, each in the order of sessions and time. Its meta contains ``about``, every
    option, the counts, and the number of windows that each filter removed. Raises :class:`InputError` if no positive or
    no negative is left, with the number that each filter removed, or if the rates of the sessions differ.
    """
    long_enough = usable_sessions(sessions, lead_ms=options.lead_ms, window_ms=options.window_ms)
    usable, spans = long_enough.sessions, long_enough.spans
    shots = [_whole_shots(session, span) for session, span in zip(usable, spans, strict=True)]
    left_out = sum(session.accepted_shots for session in sessions) - sum(index.size for index in shots)
    if not any(index.size for index in shots):
        raise _no_positives(sessions, left_out)
    samples = find_candidates(
        usable,
        spans,
        keep_clear_ms=options.lead_ms + options.window_ms,
        avoid_post_ms=options.negatives.avoid_post_ms,
        avoid_edges=options.negatives.avoid_edges,
        apart_ms=options.negatives.min_sep_ms,
    )
    window = spans[0].window_samples
    positive_ends = np.concatenate(
        [start + index - span.lead_samples for start, index, span in zip(samples.starts, shots, spans, strict=False)]
    )
    negatives = choose_negatives(samples, positive_ends - window, positive_ends, options.negatives, options.seed)
    if not negatives.ends.size:
        raise InputError(
            f"no negative window is left: {_filters(negatives.counts)}; relax the options that remove most"
        )
    parts = [
        *(_positives(s, index, span) for s, index, span in zip(usable, shots, spans, strict=True)),
        *(_negatives(s, ends, window) for s, ends in zip(usable, _by_session(samples, negatives.ends), strict=True)),
    ]
    positives = positive_ends.size
    labels = np.zeros(positives + negatives.ends.size, dtype=np.uint8)
    labels[:positives] = 1
    meta = {
        **about,
        "channels": list(CHANNELS),
        "dtype": "int16",
        "endianness": "little",
        "shape": [labels.size, window, len(CHANNELS)],
        **_options_meta(options),
        "lead_samples": spans[0].lead_samples,
        "window_samples": window,
        "estimated_dt_ms": usable[0].recording.step_ms,
        "estimated_hz": usable[0].recording.rate_hz,
        "sessions": [session.name for session in usable],
        "sessions_too_short": [session.name for session in long_enough.too_short],
        "positives": positives,
        "positives_left_out": left_out,
        "negatives": negatives.ends.size,
        "negative_filters": {name: dict(count) for name, count in negatives.counts.items()},
    }
    joined = join_windows(parts)
    return Dataset(windows=joined.windows, labels=labels, rows=joined.rows, meta=meta)


def _whole_shots(session: Session, span: Span) -> Indices:
    """Return the sample indices of the accepted shots of ``session`` with complete window and lead before them."""
    index = session.shots.index[session.shots.accepted]
    return index[unbroken_before(session.recording)[index] >= span.total]


def _positives(session: Session, shots: Indices, span: Span) -> LabelledWindows:
    numbers = np.searchsorted(session.shots.index[session.shots.accepted], shots)
    event_ms = session.recording.time_ms[shots]
    return labelled_windows(session, shots - span.lead_samples, span.window_samples, event_ms=event_ms, shots=numbers)


def _negatives(session: Session, ends: Indices, window_samples: int) -> LabelledWindows:
    event_ms = session.recording.time_ms[ends]
    nearest = nearest_shots(accepted_ms(session), event_ms)
    return labelled_windows(session, ends, window_samples, event_ms=event_ms, shots=nearest)


def _by_session(field: CandidateWindows, ends: Indices) -> list[Indices]:
    cuts = np.searchsorted(ends, field.starts[1:-1])
    return [part - start for part, start in zip(np.split(ends, cuts), field.starts, strict=False)]


def _options_meta(options: ExportOptions) -> dict[str, Any]:
    return {
        "lead_ms": options.lead_ms,
        "window_ms": options.window_ms,
        "seed": options.seed,
        **{f"neg_{name}": value for name, value in asdict(options.negatives).items()},
    }


def _no_positives(sessions: Sequence[Session], left_out: int) -> InputError:
    edges = sum(session.shots.count for session in sessions)
    if not edges:
        return InputError("no positive window is left: the trigger is never pulled")
    rejected = edges - left_out
    return InputError(
        f"no positive window is left: of {edges} trigger edges, {rejected} come too soon after an accepted shot, and the "
        f"windows of {left_out} would start before the recording or reach across a gap"
    )


_FILTERS = {
    "not_whole": "reach across a gap or an edge of the recording",
    "holds_trigger": "hold a trigger",
    "near_edge": "end too near a trigger edge (--neg-avoid-post-ms, --lead-ms, --window-ms)",
    "too_little_motion": "move too little (--neg-min-motion-quantile)",
    "unlike_positives": "move unlike the positives (--neg-match-pos-motion)",
    "not_drawn_or_too_close": "were not drawn",
}


def _filters(counts: Mapping[str, Mapping[str, int]]) -> str:
    return "; ".join(
        f"of {count['candidates']:,} {name} candidates "
        + ", ".join(f"{count[key]:,} {text}" for key, text in _FILTERS.items() if count.get(key))
        for name, count in counts.items()
    )

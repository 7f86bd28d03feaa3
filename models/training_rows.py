"""The training rows of single sessions, which can be combined to the training set of any fold.

The rows of a session depend on that session and on a rule, so workers build them once and every fold reuses them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from models.candidate_windows import find_candidates
from models.export import ExportOptions, build_dataset
from models.features import TrainingInput, training_input
from models.negatives import choose_far
from models.row_options import RowOptions
from models.sessions import Session
from models.stream_rows import StreamOptions, Thinning, build_stream_dataset, choose_thinning
from models.turning import with_turned
from models.windows import span_of, windows_at
from stinger.errors import InputError
from stinger.mlmd import WINDOW_SAMPLES
from stinger.sample import CHANNELS
from stinger.wording import counted


@dataclass(frozen=True, slots=True)
class WindowRule:
    """Rows are windows before shots and chosen negatives.

    A session without a shot has ``quiet_a_minute`` negatives a minute.
    """

    options: ExportOptions
    quiet_a_minute: float

    def rows_of(self, session: Session) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
        """Return the windows ``(n, 50, 6)`` of ``session`` and their labels ``(n,)``. Raises :class:`InputError` for none."""
        if session.accepted_shots:
            dataset = build_dataset([session], self.options, about={})
            return dataset.windows, dataset.labels
        windows = _quiet_windows(session, self.options, self.quiet_a_minute)
        return windows, np.zeros(windows.shape[0], dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class StreamRule:
    """Rows are the samples of the stream, thinned so that all sessions together have a limited number of them."""

    options: StreamOptions
    thinning: Thinning

    def rows_of(self, session: Session) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
        """Return the windows ``(n, 50, 6)`` of ``session`` and their labels ``(n,)``. Raises :class:`InputError` for none."""
        dataset = build_stream_dataset([session], self.options, about={}, thinning=self.thinning)
        if self.options.turned_deg:
            return with_turned(dataset.windows, dataset.labels, self.options.turned_deg, self.options.seed)
        return dataset.windows, dataset.labels


RowRule = WindowRule | StreamRule


def row_rule(sessions: Sequence[Session], options: RowOptions) -> RowRule:
    """Return how the rows of each of ``sessions`` are chosen, given all of them."""
    if isinstance(options, StreamOptions):
        return StreamRule(options, choose_thinning(sessions, WINDOW_SAMPLES, options))
    shots = sum(session.accepted_shots for session in sessions)
    minutes = sum(session.recording.recorded_ms for session in sessions if session.accepted_shots) / 60_000
    return WindowRule(options, options.negatives.mult * shots / minutes if minutes else 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRows:
    """The training rows of one session.

    ``inputs`` maps each feature set to the rows ``(n, k)`` for ``n`` windows that estimators are fitted on; ``labels``
    are ``(n,) uint8``; ``sha256`` is the hash of windows and labels. If there are no rows, ``warning`` is the reason.
    """

    session: str
    inputs: Mapping[str, TrainingInput]
    labels: npt.NDArray[np.uint8]
    sha256: str
    warning: str | None = None

    @property
    def positives(self) -> int:
        """Number of windows before shots."""
        return int(np.count_nonzero(self.labels))


def build_training_rows(feature_sets: Collection[str], rule: RowRule, session: Session) -> TrainingRows:
    """Build the training rows of ``session`` by ``rule``."""
    warning = None
    try:
        windows, labels = rule.rows_of(session)
    except InputError as error:
        warning = f"{session.name}: not used for training: {error}"
        windows = np.empty((0, WINDOW_SAMPLES, len(CHANNELS)), dtype=np.int16)
        labels = np.empty(0, dtype=np.uint8)
    digest = sha256(np.ascontiguousarray(windows).data)
    digest.update(labels.tobytes())
    return TrainingRows(
        session=session.name,
        inputs={name: training_input(windows, name) for name in sorted(feature_sets)},
        labels=labels,
        sha256=digest.hexdigest(),
        warning=warning,
    )


def join_rows(
    parts: Sequence[TrainingRows], feature_sets: Collection[str]
) -> tuple[dict[str, TrainingInput], npt.NDArray[np.uint8]]:
    """Return the rows ``(n, k)`` of each of ``feature_sets`` and the labels ``(n,)`` of all of ``parts``.

    Raises :class:`InputError` without a shot.
    """
    if not any(part.positives for part in parts):
        reason = next((f" ({part.warning})" for part in parts if part.warning is not None), "")
        where = f"{counted(len(parts), 'recording')} or part{'' if len(parts) == 1 else 's'} of one"
        raise InputError(f"no shot to train on in {where}{reason}: record more shots")
    inputs = {name: np.concatenate([part.inputs[name] for part in parts]) for name in feature_sets}
    return inputs, np.concatenate([part.labels for part in parts])


@dataclass(frozen=True, slots=True, eq=False)
class BaseRows:
    """Rows of other recordings that a model is trained on as well.

    An own row counts as much as ``own_weight`` of them.
    """

    rows: tuple[TrainingRows, ...]
    own_weight: float


def join_with_base(
    parts: Sequence[TrainingRows], base: BaseRows | None, feature_sets: Collection[str]
) -> tuple[dict[str, TrainingInput], npt.NDArray[np.uint8], npt.NDArray[np.float32] | None]:
    """Return what :func:`join_rows` does for ``parts`` and the rows of ``base``, and the weight of each row.

    Own rows have the weight 1. There are no weights without ``base``. Raises :class:`InputError` without a shot in
    ``parts``.
    """
    inputs, labels = join_rows(parts, feature_sets)
    if base is None:
        return inputs, labels, None
    others = [np.concatenate([part.labels for part in base.rows])] if base.rows else []
    weights = np.ones(labels.size + sum(map(len, others)), dtype=np.float32)
    weights[labels.size :] = 1 / base.own_weight
    joined = {name: np.concatenate([inputs[name], *(part.inputs[name] for part in base.rows)]) for name in feature_sets}
    return joined, np.concatenate([labels, *others]), weights


def rows_metadata(parts: Sequence[TrainingRows]) -> dict[str, Any]:
    """Return the numbers of rows and positives in ``parts`` and a hash of all rows, for a model's metadata."""
    digest = sha256("".join(part.sha256 for part in parts).encode())
    return {
        "dataset_sha256": digest.hexdigest(),
        "rows": sum(part.labels.size for part in parts),
        "positives": sum(part.positives for part in parts),
    }


def _quiet_windows(session: Session, options: ExportOptions, quiet_a_minute: float) -> npt.NDArray[np.int16]:
    recording = session.recording
    span = span_of(recording, lead_ms=options.lead_ms, window_ms=options.window_ms)
    candidates = find_candidates(
        [session],
        [span],
        keep_clear_ms=options.lead_ms + options.window_ms,
        avoid_post_ms=options.negatives.avoid_post_ms,
        avoid_edges=options.negatives.avoid_edges,
        apart_ms=options.negatives.min_sep_ms,
    )
    wanted = round(quiet_a_minute * recording.recorded_ms / 60_000)
    ends = choose_far(candidates, wanted, options.negatives, options.seed).ends
    return windows_at(recording.axes, ends, span.window_samples)

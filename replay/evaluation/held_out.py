"""Train candidate models, and score sessions, or parts of one, that they were not trained on.

Fits run on workers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from models.estimators import fit_members, loss_curves
from models.folds import HeldOut, Stretch, slice_session
from models.graph.export import export_model
from models.model_file import MODEL_MAX_BYTES, Model, open_model
from models.model_meta import ModelMeta, now_utc, software
from models.row_options import RowOptions, fit_options
from models.saving import fit_model
from models.scorer import Probability, WindowModel, score_recording
from models.sessions import Session
from models.spec import ModelSpec, parse_spec
from models.task_runner import TaskRunner
from models.training_rows import (
    BaseRows,
    TrainingRows,
    build_training_rows,
    join_with_base,
    row_rule,
    rows_metadata,
)
from replay.trace import Trace
from stinger.errors import InputError
from stinger.mlmd import WINDOW_SAMPLES

LOSSES: Final = "losses"
"""The key in a model's training data of what :func:`models.estimators.loss_curves` returns."""
_SLOWEST_FIRST: Final = ("cnn", "et", "rf", "hgb", "xgb", "mlp")
"""Models that take long to fit, the slowest first: they are started first, so that all workers finish at about the same
time.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """The results of a candidate: a trace of each held-out session, or the reason of a ``failure``.

    It also holds the warnings about the fit.
    """

    spec: ModelSpec
    traces: tuple[Trace, ...]
    warnings: tuple[str, ...]
    failure: str | None = None


def build_all_rows(
    sessions: Sequence[Session],
    specs: Sequence[ModelSpec],
    options: RowOptions,
    runner: TaskRunner,
    *,
    parts: Sequence[Session] | None = None,
) -> dict[str, TrainingRows]:
    """Build the training rows of each of ``sessions``, by its name, with the features that fitting ``specs`` needs.

    With ``parts``, build the rows of these parts of the sessions instead.
    """
    fit = fit_options(options)
    feature_sets = frozenset(name for spec in specs for name in fit.feature_sets_to_fit(spec))
    build = partial(build_training_rows, feature_sets, row_rule(sessions, options))
    ordered = sorted(sessions if parts is None else parts, key=lambda session: -len(session.recording))
    return {rows.session: rows for rows in runner.run("Building", build, ordered)}


def train_on_all(
    sessions: Sequence[Session],
    meta: ModelMeta,
    options: RowOptions,
    runner: TaskRunner,
    *,
    base: BaseRows | None = None,
) -> tuple[Model, tuple[str, ...]]:
    """Train the model that ``meta`` names on all of ``sessions``, and on ``base``.

    Return it and warnings about the fit.

    Adds the number of rows, a hash of them and the losses of the fit (:data:`LOSSES`) to ``meta.training``. Raises
    :class:`InputError` if it is too large for a model file.
    """
    built = build_all_rows(sessions, [parse_spec(meta.spec)], options, runner)
    rows = [built[session.name] for session in sessions]
    everything = rows if base is None else [*rows, *base.rows]
    training = {**meta.training, **rows_metadata(everything), "fitted_on": "all rows", "seed": options.seed}
    meta = replace(meta, training=training)
    ((data, warnings),) = runner.run("Training on all", partial(_fit_on_all, rows, base, options), [meta])
    return open_model(data), warnings


def _fit_on_all(
    rows: Sequence[TrainingRows], base: BaseRows | None, options: RowOptions, meta: ModelMeta
) -> tuple[bytes, tuple[str, ...]]:
    # The only fit at this time, unlike those of a contest, so it may use all cores.
    spec, fit = parse_spec(meta.spec), replace(fit_options(options), n_jobs=-1)
    inputs, labels, weights = join_with_base(rows, base, fit.feature_sets_to_fit(spec))
    fitted, warnings = fit_members(spec, inputs, labels, seed=options.seed, weights=weights, options=fit)
    meta = replace(meta, training={**meta.training, LOSSES: loss_curves(fitted)})
    return export_model(fitted, meta), warnings


def score_candidates(
    specs: Sequence[ModelSpec],
    test: HeldOut,
    options: RowOptions,
    runner: TaskRunner,
    *,
    base: BaseRows | None = None,
    model_max_bytes: int = MODEL_MAX_BYTES,
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """Train each of ``specs`` in each fold, and score the sessions that the fold tests.

    Each fit uses the fold's training sessions and ``base``. The models score as exported model files of at most
    ``model_max_bytes``. Returns the candidates, and a warning for each session that cannot be used for training. The
    traces of ``test.changed`` follow those of the held-out sessions.
    """
    parts = {session.name: session for fold in test.folds for session in fold.train}
    rows = build_all_rows(test.sessions, specs, options, runner, parts=tuple(parts.values()))
    # Names instead of sessions: workers do not need the samples.
    scored = (*test.sessions, *test.changed)
    folds = [
        (tuple(session.name for session in fold.train), _with_copies(fold.test, len(test.sessions), len(scored)))
        for fold in test.folds
    ]
    fit_and_score = partial(_fit_and_score, rows, scored, folds, options, base=base, model_max_bytes=model_max_bytes)
    tasks = [_Task(spec, fold) for spec in specs for fold in range(len(folds))]
    tasks.sort(key=_start_order)
    scored_folds = sorted(runner.run("Fitting", fit_and_score, tasks), key=lambda one: one.task.fold)
    candidates = (_candidate(spec, test, [one for one in scored_folds if one.task.spec == spec]) for spec in specs)
    return tuple(candidates), tuple(part.warning for part in rows.values() if part.warning is not None)


def score_stretch(model: WindowModel, sessions: Sequence[Session], stretch: Stretch) -> Probability:
    """Score each sample of ``stretch``; the first windows use the samples before it."""
    begin = max(0, stretch.start - WINDOW_SAMPLES + 1)
    recording = slice_session(sessions[stretch.session], begin, stretch.stop).recording
    return score_recording(model, recording)[stretch.start - begin :]


@dataclass(frozen=True, slots=True)
class _Task:
    """One fit: a candidate and the fold on whose training sessions it is trained."""

    spec: ModelSpec
    fold: int


def _start_order(task: _Task) -> int:
    return min(
        (_SLOWEST_FIRST.index(m.model) for m in task.spec.members if m.model in _SLOWEST_FIRST),
        default=len(_SLOWEST_FIRST),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _FoldScores:
    """The result of a task: outputs for each stretch that its fold tests, or the reason of a failure."""

    task: _Task
    outputs: tuple[tuple[Stretch, Probability], ...]
    warnings: tuple[str, ...] = ()
    failure: str | None = None


def _fit_and_score(
    rows: Mapping[str, TrainingRows],
    sessions: Sequence[Session],
    folds: Sequence[tuple[tuple[str, ...], tuple[Stretch, ...]]],
    options: RowOptions,
    task: _Task,
    *,
    base: BaseRows | None,
    model_max_bytes: int,
) -> _FoldScores:
    train, tested = folds[task.fold]
    spec = task.spec
    meta = ModelMeta(spec=str(spec), software=software(), created=now_utc(), lead_ms=options.lead_ms)
    fit = fit_options(options)
    try:
        with threadpool_limits(1):
            inputs, labels, weights = join_with_base(
                [rows[name] for name in train], base, fit.feature_sets_to_fit(spec)
            )
            model, warnings = fit_model(
                inputs,
                labels,
                meta,
                seed=options.seed,
                weights=weights,
                max_bytes=model_max_bytes,
                options=fit,
            )
    except InputError as error:
        return _FoldScores(task, (), failure=f"fold {task.fold + 1} of {len(folds)}: {error}")
    outputs = tuple((stretch, score_stretch(model, sessions, stretch)) for stretch in tested)
    return _FoldScores(task, outputs, tuple(f"fold {task.fold + 1}: {warning}" for warning in warnings))


def _with_copies(stretches: Sequence[Stretch], sessions: int, scored: int) -> tuple[Stretch, ...]:
    """Return ``stretches``, and the same ones of the copies of their sessions, which are at positions from ``sessions`` on."""
    return tuple(
        replace(one, session=position) for one in stretches for position in range(one.session, scored, sessions)
    )


def _candidate(spec: ModelSpec, test: HeldOut, scored_folds: Sequence[_FoldScores]) -> Candidate:
    warnings = tuple(warning for one in scored_folds for warning in one.warnings)
    failure = next((one.failure for one in scored_folds if one.failure is not None), None)
    if failure is not None:
        return Candidate(spec, (), warnings, failure)
    scored = (*test.sessions, *test.changed)
    positions = (*test.positions, *range(len(test.sessions), len(scored)))
    probability = {i: np.full(len(scored[i].recording), np.nan, dtype=np.float32) for i in positions}
    for one in scored_folds:
        for stretch, output in one.outputs:
            # Folds by time test all sessions, also those that are not held out.
            if stretch.session in probability:
                probability[stretch.session][stretch.start : stretch.stop] = output
    traces = tuple(Trace(scored[i], probability[i]) for i in positions)
    return Candidate(spec, traces, warnings)

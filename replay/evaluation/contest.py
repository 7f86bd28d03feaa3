"""Compare the champion with challengers on recordings that none of them was trained on, within a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from models.decision import DecisionParameters
from models.export import ExportOptions
from models.folds import HeldOut
from models.model_file import MODEL_MAX_BYTES, Model
from models.spec import ModelSpec
from models.task_runner import TaskRunner
from replay.evaluation.evaluate import AveragePrecision, Evaluation, average_precision, evaluate
from replay.evaluation.held_out import score_candidates
from replay.evaluation.sweep import FINE_STEPS, choose, sweep, thresholds
from replay.trace import Trace, score_sessions
from stinger.shots import MIN_LEAD_MS


@dataclass(frozen=True, slots=True)
class Budget:
    """Upper limits for a model: false spin-ups per minute, and duty, the fraction of time with wheels on."""

    max_false_per_minute: float
    max_duty: float


@dataclass(frozen=True, slots=True)
class Contender:
    """The results of one model on the held-out sessions.

    ``rows`` are the results at every threshold over all sessions together; ``point`` is the row with the most shots in
    time within the budget, ``None`` if there is none; ``sessions`` are the results of each session at that threshold.
    """

    name: str
    rows: tuple[Evaluation, ...]
    point: Evaluation | None
    sessions: tuple[Evaluation, ...]
    average_precision: AveragePrecision | None
    warnings: tuple[str, ...] = ()

    @property
    def in_time(self) -> int:
        """Number of accepted shots in time, at the threshold within the budget."""
        return 0 if self.point is None else self.point.accepted.count


@dataclass(frozen=True, slots=True)
class Contest:
    """The results of champion and challengers on the sessions named in ``held_out``.

    ``failed`` maps each challenger that could not be trained to the reason. ``warnings`` name the sessions that could
    not be used for training.
    """

    held_out: tuple[str, ...]
    champion: Contender
    challengers: tuple[Contender, ...]
    failed: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def run_contest(
    champion: tuple[str, Model],
    specs: Sequence[ModelSpec],
    test: HeldOut,
    options: ExportOptions,
    budget: Budget,
    *,
    runner: TaskRunner,
    model_max_bytes: int = MODEL_MAX_BYTES,
) -> Contest:
    """Score the held-out sessions with the unchanged champion, and with each of ``specs`` trained without them.

    The caller makes sure that the champion was not trained on the sessions that ``test`` holds out. A challenger whose
    file has more than ``model_max_bytes`` has failed.
    """
    name, model = champion
    candidates, warnings = score_candidates(specs, test, options, runner, model_max_bytes=model_max_bytes)
    sessions = test.held_out_sessions
    own = _Entry(name, score_sessions(model, sessions), model.meta.decision)
    entries = [
        own,
        *(_Entry(str(one.spec), one.traces, DecisionParameters(), one.warnings) for one in candidates if one.traces),
    ]
    contend = partial(_contend, budget, entries)
    contenders = {contender.name: contender for contender in runner.run("Thresholds", contend, range(len(entries)))}
    return Contest(
        held_out=tuple(session.name for session in sessions),
        champion=contenders[name],
        challengers=tuple(contenders[entry.name] for entry in entries[1:]),
        failed={str(one.spec): one.failure for one in candidates if one.failure is not None},
        warnings=warnings,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    name: str
    traces: tuple[Trace, ...]
    parameters: DecisionParameters
    warnings: tuple[str, ...] = ()


def _contend(budget: Budget, entries: Sequence[_Entry], position: int) -> Contender:
    entry = entries[position]
    at = thresholds(FINE_STEPS, entry.parameters.on)
    rows = sweep(entry.traces, entry.parameters, at, min_lead_ms=MIN_LEAD_MS)
    point = choose(rows, max_false_per_minute=budget.max_false_per_minute, max_duty=budget.max_duty)
    each = () if point is None else tuple(evaluate([trace], point.parameters) for trace in entry.traces)
    return Contender(entry.name, rows, point, each, average_precision(entry.traces), entry.warnings)

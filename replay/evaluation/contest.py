"""Compare the champion with challengers by the cost of their behaviour.

They are compared on recordings that none of them was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from models.decision_parameters import DecisionParameters
from models.folds import HeldOut
from models.model_file import MODEL_MAX_BYTES, Model
from models.row_options import RowOptions
from models.spec import ModelSpec
from models.task_runner import TaskRunner
from replay.evaluation.cost import Blocks, CostWeights, cost_table, divide_into_blocks
from replay.evaluation.cost_choice import Budget, HeldOutCounts, held_out_counts, least_cost
from replay.evaluation.evaluate import (
    AveragePrecision,
    Evaluation,
    average_precision,
    evaluate_followed,
    follow_traces,
)
from replay.evaluation.held_out import score_candidates
from replay.evaluation.sweep import FINE_STEPS, parameters_at, thresholds
from replay.trace import Trace, score_sessions

_CLEARLY: Final = 2.0
"""A figure clearly exceeds a limit if it is this many standard errors above."""


@dataclass(frozen=True, slots=True)
class Contender:
    """The results of one model on the held-out sessions.

    ``rows`` are the results at every threshold over all sessions together; ``best`` is the row with the least cost,
    ``within`` the one with the least cost within the budget, ``None`` if no row within the budget has a shot in time;
    ``sessions`` are the results of each session at the threshold of ``best``. ``held_out`` is what the model did in
    each block of time with thresholds chosen on the other sessions, and ``held_out_within`` the same within the budget:
    for the champion, without those thresholds that clearly exceed it. So neither model gains from a figure that is just
    below a limit by chance.
    """

    name: str
    rows: tuple[Evaluation, ...]
    best: Evaluation
    within: Evaluation | None
    sessions: tuple[Evaluation, ...]
    held_out: HeldOutCounts
    held_out_within: HeldOutCounts
    average_precision: AveragePrecision | None
    warnings: tuple[str, ...] = ()

    @property
    def best_is_within(self) -> bool:
        """Whether the row with the least cost is within the budget."""
        return self.within is not None and self.within.parameters == self.best.parameters


@dataclass(frozen=True, slots=True)
class Contest:
    """The results of champion and challengers on the sessions named in ``held_out``.

    ``champion_threshold`` is the one in the champion's file. ``failed`` maps each challenger that could not be trained
    to the reason. ``warnings`` name the sessions that could not be used for training. ``blocks`` are the blocks of time
    of the sessions.
    """

    held_out: tuple[str, ...]
    champion: Contender
    challengers: tuple[Contender, ...]
    failed: Mapping[str, str]
    blocks: Blocks = field(compare=False)
    champion_threshold: float = 0.5
    warnings: tuple[str, ...] = ()


def run_contest(
    champion: tuple[str, Model],
    specs: Sequence[ModelSpec],
    test: HeldOut,
    options: RowOptions,
    budget: Budget,
    *,
    weights: CostWeights,
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
    blocks = divide_into_blocks(own.traces)
    contend = partial(_contend, (weights, budget), blocks, entries)
    contenders = {contender.name: contender for contender in runner.run("Thresholds", contend, range(len(entries)))}
    return Contest(
        held_out=tuple(session.name for session in sessions),
        champion=contenders[name],
        challengers=tuple(contenders[entry.name] for entry in entries[1:]),
        failed={str(one.spec): one.failure for one in candidates if one.failure is not None},
        blocks=blocks,
        champion_threshold=model.meta.decision.on,
        warnings=warnings,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    name: str
    traces: tuple[Trace, ...]
    parameters: DecisionParameters
    warnings: tuple[str, ...] = ()


def _contend(terms: tuple[CostWeights, Budget], blocks: Blocks, entries: Sequence[_Entry], position: int) -> Contender:
    weights, budget = terms
    entry = entries[position]
    at = [parameters_at(entry.parameters, on) for on in thresholds(FINE_STEPS, entry.parameters.on)]
    followed = follow_traces(entry.traces, entry.parameters)
    rows = tuple(evaluate_followed(followed, parameters) for parameters in at)
    table = cost_table(followed, blocks, at)
    applied = replace(budget, tolerance=_CLEARLY) if position == 0 else budget
    best, within = least_cost(table, blocks, weights), least_cost(table, blocks, weights, budget)
    assert best is not None
    return Contender(
        name=entry.name,
        rows=rows,
        best=rows[best],
        within=None if within is None else rows[within],
        sessions=tuple(evaluate_followed([one], at[best]) for one in followed),
        held_out=held_out_counts(table, blocks, weights),
        held_out_within=held_out_counts(table, blocks, weights, applied),
        average_precision=average_precision(entry.traces),
        warnings=entry.warnings,
    )

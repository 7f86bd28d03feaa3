"""A retraining as values for JSON: the report, the registry's journal, a model's metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any, Final

from models.model_meta import software
from replay.evaluation.contest import Contender, Contest
from replay.evaluation.cost import Blocks, CostWeights
from replay.evaluation.cost_choice import HeldOutCounts
from replay.evaluation.evaluate import Evaluation
from replay.evaluation.report import finite, rows_to_read
from service.retraining.result import RetrainingResult
from service.retraining.rules import rules_of

SCHEMA: Final = 3


def report_values(result: RetrainingResult) -> dict[str, Any]:
    """Return everything about a retraining, ready for JSON."""
    judged = result.judged
    values = {
        "schema": SCHEMA,
        "time": result.started.isoformat(timespec="milliseconds"),
        "software": software(),
        "outcome": result.outcome.value,
        "why": result.why,
        "champion": result.champion,
        "version": result.version,
        "options": options_of(result),
        "data": list(data_of(result)),
        "warnings": list(result.all_warnings),
        "method": None if judged is None else judged.plan.method,
        "contest": None if judged is None else _contest(judged.contest, rules_of(result.config.retrain).weights),
        "verdict": None if judged is None else [asdict(ruling) for ruling in judged.verdict.rulings],
        "basis": result.inputs_hash,
    }
    cleaned: dict[str, Any] = finite(values)
    return cleaned


def journal_values(result: RetrainingResult) -> dict[str, Any]:
    """Return the values for the registry's journal: those of the report, without the details."""
    values = report_values(result)
    values["data"] = [{name: entry[name] for name in ("path", "sha256", "role")} for entry in values["data"]]
    contest = values.pop("contest")
    values["metrics"] = contest and {
        one["name"]: one["held_out"] for one in (contest["champion"], *contest["challengers"])
    }
    for name in ("time", "schema"):
        del values[name]
    values["report"] = None if result.folder is None else result.folder.name
    return values


def options_of(result: RetrainingResult) -> dict[str, Any]:
    """Return the settings that were used."""
    config = result.config
    return {**asdict(config.retrain), "min_shot_gap_ms": config.min_shot_gap_ms}


def metrics_of(point: Evaluation, sessions: int) -> dict[str, Any]:
    """Return the metrics for the file of a new champion: how it did on ``sessions`` held-out sessions."""
    values: dict[str, Any] = finite(
        {
            "tested_on": "held-out sessions, by models trained on the others",
            "sessions": sessions,
            "accepted_shots": point.accepted.total,
            "in_time": point.accepted.value,
            "by_chance": point.by_chance,
            "false_per_minute": point.false.value,
            "minutes": point.minutes,
            "duty": point.duty,
        }
    )
    return values


def data_of(result: RetrainingResult) -> Iterator[dict[str, Any]]:
    """Yield a description of each session: its file, its shots, and what it was used for."""
    for position, item in enumerate(result.data.items):
        session = item.session
        yield {
            "path": item.path,
            "sha256": item.sha256,
            "session": session.name,
            "minutes": session.recording.recorded_ms / 60_000,
            "accepted_shots": session.accepted_shots,
            "shots": session.shots.count,
            "role": _role(result, position),
        }


def _contest(contest: Contest, weights: CostWeights) -> dict[str, Any]:
    def contender(one: Contender) -> dict[str, Any]:
        values = asdict(replace(one, rows=tuple(rows_to_read(one.rows, one.best))))
        values["held_out"] = held_out_values(one.held_out, contest.blocks, weights)
        values["held_out_within"] = held_out_values(one.held_out_within, contest.blocks, weights)
        return values

    return {
        "held_out": contest.held_out,
        "champion": contender(contest.champion),
        "champion_threshold": contest.champion_threshold,
        "challengers": [contender(one) for one in contest.challengers],
        "failed": dict(contest.failed),
        "warnings": contest.warnings,
    }


def held_out_values(counts: HeldOutCounts, blocks: Blocks, weights: CostWeights) -> dict[str, float]:
    """Return what a model did in all blocks together, with thresholds that were chosen on other parts of the data.

    ``cost_per_minute`` is in the units of ``weights``.
    """
    missed, false, on = counts.array.sum(axis=0).tolist()
    shots, minutes = float(blocks.shots.sum()), float(blocks.minutes.sum())
    cost = float((counts.array @ weights.each).sum())
    return {
        "accepted_shots": int(shots),
        "minutes": minutes,
        "in_time": 1 - missed / shots if shots else math.nan,
        "false_per_minute": false / minutes if minutes else math.nan,
        "duty": on / minutes if minutes else math.nan,
        "cost_per_minute": cost / minutes if minutes else math.nan,
    }


def _role(result: RetrainingResult, position: int) -> str:
    if position in result.seen:
        return "training only: the champion, or a rolled-back model, was trained on it"
    return "held out" if result.judged is not None else "new"

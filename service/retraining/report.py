"""A retraining as JSON for machines, and as an entry of the registry's journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any, Final

from models.saving import software
from replay.evaluation.contest import Contender, Contest
from replay.evaluation.evaluate import Evaluation
from replay.evaluation.report import finite, rows_to_read
from service.retraining.result import Retraining

SCHEMA: Final = 1


def report_values(retraining: Retraining) -> dict[str, Any]:
    """Everything about ``retraining``, ready for JSON."""
    judged = retraining.judged
    values = {
        "schema": SCHEMA,
        "time": retraining.began.isoformat(timespec="milliseconds"),
        "software": software(),
        "outcome": retraining.outcome.value,
        "why": retraining.why,
        "champion": retraining.champion,
        "version": retraining.version,
        "options": options_of(retraining),
        "data": list(data_of(retraining)),
        "remarks": [*retraining.gathered.remarks, *retraining.remarks],
        "method": None if judged is None else judged.plan.method,
        "contest": None if judged is None else _contest(judged.contest),
        "verdict": None if judged is None else [asdict(ruling) for ruling in judged.verdict.rulings],
        "basis": retraining.basis,
    }
    cleaned: dict[str, Any] = finite(values)
    return cleaned


def journal_values(retraining: Retraining) -> dict[str, Any]:
    """The same for the registry's journal: without what only the report needs."""
    values = report_values(retraining)
    values["data"] = [{name: entry[name] for name in ("path", "sha256", "role")} for entry in values["data"]]
    contest = values.pop("contest")
    values["metrics"] = contest and {
        one["name"]: one["point"] for one in (contest["champion"], *contest["challengers"])
    }
    for name in ("time", "schema"):
        del values[name]
    values["report"] = None if retraining.folder is None else retraining.folder.name
    return values


def options_of(retraining: Retraining) -> dict[str, Any]:
    """What the retraining went by."""
    config = retraining.config
    return {**asdict(config.retrain), "min_shot_gap_ms": config.min_shot_gap_ms}


def metrics_of(point: Evaluation, sessions: int) -> dict[str, Any]:
    """What a new champion's file says of how it did on sessions that it was not trained on."""
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


def data_of(retraining: Retraining) -> Iterator[dict[str, Any]]:
    """What was learnt from and tested on, session by session."""
    for i, source in enumerate(retraining.gathered.sources):
        session = source.session
        yield {
            "path": source.path,
            "sha256": source.sha256,
            "session": session.name,
            "minutes": session.recording.recorded_ms / 60_000,
            "accepted_shots": session.accepted_shots,
            "shots": len(session.shots),
            "role": _role(retraining, i),
        }


def _contest(contest: Contest) -> dict[str, Any]:
    def contender(one: Contender) -> dict[str, Any]:
        return asdict(replace(one, rows=tuple(rows_to_read(one.rows, one.point))))

    return {
        "held_out": contest.held_out,
        "champion": contender(contest.champion),
        "challengers": [contender(one) for one in contest.challengers],
        "failed": dict(contest.failed),
        "remarks": contest.warnings,
    }


def _role(retraining: Retraining, position: int) -> str:
    if position in retraining.seen:
        return "the champion, or a model that was gone back from, was trained on it: only learnt from"
    return "held out" if retraining.judged is not None else "new"

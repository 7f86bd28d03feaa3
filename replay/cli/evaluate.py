"""``stinger evaluate``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from models.decision import DecisionParameters
from models.export import ExportOptions
from models.folds import GUARD_MS, Fold, folds_by_session, folds_by_time
from models.model_file import load_model
from models.negatives import RECOMMENDED
from models.sessions import Session
from models.spec import parse_spec
from replay.cli.evaluation_input import (
    THRESHOLD_HELP,
    evaluation_options,
    model_traces,
    open_data,
    overlap_remarks,
)
from replay.cli.negative_options import negative_options, negatives_of
from replay.cli.picture_options import dpi_option
from replay.evaluation import average_precision, evaluate
from replay.evaluation_report import EvaluationReport, to_json, to_markdown, to_text
from replay.out_of_fold import out_of_fold_traces
from replay.sweep import FINE_STEPS, sweep, thresholds
from stinger.cli.options import MAX_SEED
from stinger.cli.progress import progress_bar
from stinger.errors import InputError
from stinger.files import make_folder, write_bytes

FOLDS: Final = 5
JSON_FILE: Final = "evaluation.json"
MARKDOWN_FILE: Final = "evaluation.md"
PICTURE_FILE: Final = "sweep.png"

_NAMED = 3
"""Logs that the picture's title names."""


@click.command("evaluate", short_help="Measure a model as a stream: shots in time, false spin-ups.")
@click.option("--model-file", type=click.Path(), help="The model to evaluate.")
@click.option(
    "--train", "spec", metavar="MODEL:FEATURES", help="Instead: train on the logs, and test each part unseen."
)
@click.option("--folds", type=click.IntRange(2, 1000), help=f"Parts to test in turn.  [default: {FOLDS}]")
@click.option(
    "--folds-by",
    type=click.Choice(["session", "time"]),
    help="A part is whole sessions, or a stretch of each.  [default: session, if two or more have shots]",
)
@click.option("--seed", type=click.IntRange(0, MAX_SEED), default=1, show_default=True, help="Of negatives and models.")
@negative_options(RECOMMENDED)
@click.option("--threshold", type=float, help=f"{THRESHOLD_HELP}  [default: the model's own, else 0.5]")
@click.option("--sweep", "with_sweep", is_flag=True, help="Also show what other thresholds give.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines, with the sweep.")
@click.option(
    "--outdir",
    type=click.Path(path_type=Path),
    help=f"Also write {JSON_FILE}, {MARKDOWN_FILE} and {PICTURE_FILE} there.",
)
@dpi_option(150)
@evaluation_options
def evaluate_command(
    *,
    log_paths: tuple[str, ...],
    model_file: str | None,
    spec: str | None,
    folds: int | None,
    folds_by: str | None,
    seed: int,
    threshold: float | None,
    min_lead_ms: float,
    with_sweep: bool,
    as_json: bool,
    outdir: Path | None,
    dpi: int,
    min_shot_gap_ms: float,
    rate_hz: float,
    every: int,
    **negative_values: Any,
) -> None:
    """Replay each LOG through a model and the decision, and count what came of it.

    Either a model from a file, or one trained on the same logs: then each part is tested by a model that never saw it,
    nor the second before and after it.
    """
    if (model_file is None) == (spec is None):
        raise InputError("give either --model-file or --train")
    parameters = DecisionParameters() if threshold is None else DecisionParameters(on=threshold)
    parsed = None if spec is None else parse_spec(spec)
    model = None if model_file is None else load_model(model_file)
    data = open_data(log_paths, rate_hz=rate_hz, every=every, min_shot_gap_ms=min_shot_gap_ms)
    if parsed is not None:
        options = ExportOptions(negatives=negatives_of(negative_values), seed=seed)
        by, parts = _folds(data.sessions, folds, folds_by)
        with progress_bar("Training", len(parts)) as progress:
            traces, remarks = out_of_fold_traces(data.sessions, parts, parsed, options, progress=progress)
        subject, method = str(parsed), _method(by, parts, seed)
    else:
        assert model is not None
        assert model_file is not None
        own = model.meta.decision
        parameters = own if threshold is None else own.at(threshold)
        traces, remarks = model_traces(model, data), overlap_remarks(model, data)
        subject = f"{Path(model_file).name} ({model.meta.estimator}:{model.meta.features}, sha256 {model.sha256[:12]})"
        method = "as a stream, from the start of each recording"
    at = thresholds(FINE_STEPS, parameters.on) if with_sweep or as_json or outdir is not None else ()
    with progress_bar("Thresholds", len(at)) as progress:
        rows = sweep(traces, parameters, at, min_lead_ms=min_lead_ms, progress=progress)
    report = EvaluationReport(
        subject=subject,
        method=method,
        data=data.files,
        operating=rows[at.index(parameters.on)] if at else evaluate(traces, parameters, min_lead_ms=min_lead_ms),
        average_precision=average_precision(traces),
        rows=rows,
        remarks=remarks,
    )
    written = [] if outdir is None else _write(report, outdir, dpi)
    if as_json:
        click.echo(json.dumps(to_json(report), indent=2))
        return
    for line in [*to_text(report, with_sweep=with_sweep), *written]:
        click.echo(line)


def _folds(sessions: Sequence[Session], count: int | None, by: str | None) -> tuple[str, tuple[Fold, ...]]:
    """By what the sessions are cut, and the folds; as many as there are sessions where no number was asked for."""
    if by is None:
        by = "session" if sum(session.accepted_shots > 0 for session in sessions) > 1 else "time"
    if by == "session":
        return by, folds_by_session(sessions, count or max(2, min(FOLDS, len(sessions))))
    return by, folds_by_time(sessions, count or FOLDS)


def _method(by: str, folds: Sequence[Fold], seed: int) -> str:
    guard = f" with a guard of {GUARD_MS / 1000:g} s" if by == "time" else ""
    return f"{len(folds)} folds by {by}{guard}, each by a model trained on the others, seed {seed}"


def _write(report: EvaluationReport, folder: Path, dpi: int) -> list[str]:
    """Write the report's files; a line about each."""
    from replay.sweep_picture import draw_sweep  # noqa: PLC0415 - matplotlib, only when a picture is wanted

    make_folder(folder)
    names = ", ".join(Path(file.path).name for file in report.data[:_NAMED])
    if len(report.data) > _NAMED:
        names += f" and {len(report.data) - _NAMED} more"
    draw_sweep(report.rows, report.operating, folder / PICTURE_FILE, title=f"{report.subject} on {names}", dpi=dpi)
    write_bytes(folder / JSON_FILE, (json.dumps(to_json(report), indent=2) + "\n").encode())
    write_bytes(folder / MARKDOWN_FILE, to_markdown(report, picture=PICTURE_FILE).encode())
    return [f"wrote {folder / name}" for name in (JSON_FILE, MARKDOWN_FILE, PICTURE_FILE)]

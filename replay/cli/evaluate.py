"""``stinger evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from models.cli.label_options import label_options, stream_options
from models.cli.options import ThresholdType
from models.cli.others_options import others_options, read_others
from models.decision_parameters import DecisionParameters
from models.export import ExportOptions
from models.model_file import load_model
from models.negatives import RECOMMENDED
from models.row_options import STREAM, RowOptions
from models.spec import parse_spec
from models.task_runner import TaskRunner
from models.threshold import Threshold
from models.training_rows import BaseRows
from models.workers import DASK, LOCAL, Workers
from replay.cli.evaluation_input import (
    evaluation_options,
    model_traces,
    open_data,
    overlap_warnings,
)
from replay.cli.negative_options import negative_options, negatives_of
from replay.cli.picture_options import dpi_option
from replay.evaluation.dynamic_mode import IDLE_RPM, evaluate_dynamic
from replay.evaluation.evaluate import average_precision, evaluate
from replay.evaluation.file_names import JSON_FILE, MARKDOWN_FILE, PICTURE_FILE
from replay.evaluation.files import write_evaluation
from replay.evaluation.fold_choice import FOLDS, choose_folds, describe_folds
from replay.evaluation.report import EvaluationReport, to_json, to_text
from replay.evaluation.sweep import FINE_STEPS, sweep, thresholds
from replay.evaluation.turned import DRAWS, TurnPlan, parse_angles, turned_results
from replay.evaluation.uncertainty import uncertainty_of
from stinger.cli.options import ANY_FOLDER, ANY_PATH, MAX_SEED
from stinger.cli.progress import progress_bar
from stinger.errors import InputError
from stinger.wording import counted

_DEFAULT_THRESHOLD: Final = (
    f"The threshold of {DecisionParameters().on:g} is the blaster's default, not chosen for this model: --sweep shows "
    "the results at others."
)


class _Angles(click.ParamType[tuple[float, ...]]):
    """Angles in degrees: ``10,30,90``."""

    name = "DEG[,DEG...]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        try:
            return parse_angles(str(value))
        except InputError as error:
            self.fail(str(error), param, ctx)


@click.command("evaluate", short_help="Measure a model on recordings: shots in time, false spin-ups.")
@click.option("--model-file", type=ANY_PATH, help="The model to evaluate.")
@click.option(
    "--train",
    "spec",
    metavar="MODEL:FEATURES[+...]",
    help="Instead of --model-file: train on the logs, and test each part with a model trained on the others. "
    "Several joined by '+' are an ensemble.",
)
@click.option("--folds", type=click.IntRange(2, 1000), help=f"Number of parts.  [default: {FOLDS}]")
@click.option(
    "--folds-by",
    type=click.Choice(["session", "time"]),
    help="Divide into parts of whole sessions, or by time.  [default: session, if two or more have shots to learn from]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    default=1,
    show_default=True,
    help="Random seed for drawing negatives and training.",
)
@label_options(STREAM)
@others_options
@negative_options(RECOMMENDED)
@click.option(
    "--jobs", type=click.IntRange(0), default=0, help="Number of parallel trainings.  [default: 0, one per core]"
)
@click.option(
    "--dask",
    "scheduler",
    metavar="ADDRESS",
    help="Train and score on this Dask cluster, such as tcp://10.0.0.5:8786, with a task for each recording.",
)
@click.option(
    "--threshold",
    type=ThresholdType(),
    help="Level at which the wheels go on; they go off at half of it.  [default: the model's own, else 0.5]",
)
@click.option(
    "--idle-rpm",
    type=click.IntRange(1, 100_000),
    default=IDLE_RPM,
    show_default=True,
    help="Full speed of idling wheels, for the blaster's idle mode Dynamic.",
)
@click.option(
    "--turn",
    type=_Angles(),
    help="Also test with the logs turned by each of these angles in degrees, such as 10,30,90: what is lost if the blaster is "
    "held in another way.",
)
@click.option(
    "--turn-axes",
    type=click.IntRange(1, 100),
    default=DRAWS,
    show_default=True,
    help="Number of random axes to turn about.",
)
@click.option("--sweep", "with_sweep", is_flag=True, help="Also show the results at other thresholds.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the results at all thresholds.")
@click.option(
    "--outdir",
    type=ANY_FOLDER,
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
    labels: str,
    others: tuple[str, ...],
    own_weight: float,
    jobs: int,
    scheduler: str | None,
    threshold: Threshold | None,
    idle_rpm: int,
    min_lead_ms: float,
    turn: tuple[float, ...] | None,
    turn_axes: int,
    with_sweep: bool,
    as_json: bool,
    outdir: Path | None,
    dpi: int,
    min_shot_gap_ms: float,
    rate_hz: float,
    every: int,
    **row_values: Any,
) -> None:
    """Replay each LOG through a model and the decision; count shots in time and false spin-ups.

    The model is read from a file or trained on the same logs. If it is trained, each part of the logs is tested with a
    model that was trained without that part and without the second before and after it. A LOG is a file, or the URL of
    a file or folder in shared storage, such as s3://BUCKET/FOLDER.
    """
    from replay.evaluation.held_out import build_all_rows
    from replay.evaluation.out_of_fold import out_of_fold_traces

    if (model_file is None) == (spec is None):
        raise InputError("give either --model-file or --train")
    if others and spec is None:
        raise InputError("--others is for --train: a model in a file is trained already")
    parameters = DecisionParameters() if threshold is None else DecisionParameters(on=threshold)
    parsed = None if spec is None else parse_spec(spec)
    model = None if model_file is None else load_model(model_file)
    runner = TaskRunner(Workers(jobs, LOCAL if scheduler is None else DASK, scheduler), progress_bar)
    data = open_data(log_paths, rate_hz=rate_hz, every=every, min_shot_gap_ms=min_shot_gap_ms)
    plan = TurnPlan(turn or (), draws=turn_axes, seed=seed)
    changed = plan.turned(data.sessions)
    if parsed is not None:
        options: RowOptions = ExportOptions(negatives=negatives_of(row_values), seed=seed)
        if labels == STREAM:
            options = stream_options(row_values, seed=seed)
        by, parts = choose_folds(data.sessions, count=folds, by=folds_by)
        subject, method, base = str(parsed), describe_folds(by, parts, seed), None
        if others:
            more, _ = read_others(others, data.sessions, min_shot_gap_ms=min_shot_gap_ms, rate_hz=rate_hz, every=every)
            base = BaseRows(tuple(build_all_rows(more, [parsed], options, runner).values()), own_weight)
            method += (
                f", and on {counted(len(more), 'recording')} of others; an own row counts as {own_weight:g} of theirs"
            )
        traces, warnings = out_of_fold_traces(data.sessions, parts, parsed, options, runner, changed=changed, base=base)
        if threshold is None and not (with_sweep or as_json or outdir):
            warnings = (*warnings, _DEFAULT_THRESHOLD)
    else:
        assert model is not None
        assert model_file is not None
        own = model.meta.decision
        parameters = own if threshold is None else own.at(threshold)
        cluster = None if scheduler is None else runner
        traces, warnings = model_traces(model, (*data.sessions, *changed), cluster), overlap_warnings(model, data)
        subject = f"{Path(model_file).name} ({model.meta.spec}, sha256 {model.sha256[:12]})"
        method = "as a stream, from the start of each recording"
    traces, of_turned = traces[: len(data.sessions)], traces[len(data.sessions) :]
    at = thresholds(FINE_STEPS, parameters.on) if with_sweep or as_json or outdir is not None else ()
    with progress_bar("Thresholds", len(at)) as progress:
        rows = sweep(traces, parameters, at, min_lead_ms=min_lead_ms, progress=progress)
    precision = average_precision(traces)
    report = EvaluationReport(
        subject=subject,
        method=method,
        data=data.files,
        operating=rows[at.index(parameters.on)] if at else evaluate(traces, parameters, min_lead_ms=min_lead_ms),
        average_precision=precision,
        rows=rows,
        warnings=(*data.warnings, *warnings),
        uncertainty=uncertainty_of(traces, parameters, precision, min_lead_ms=min_lead_ms),
        dynamic=evaluate_dynamic(traces, parameters, idle_rpm=idle_rpm, min_lead_ms=min_lead_ms),
        turned=turned_results(plan, traces, of_turned, parameters, min_lead_ms=min_lead_ms) if turn else (),
    )
    written = [] if outdir is None else [f"wrote {path}" for path in write_evaluation(report, outdir, dpi=dpi)]
    if as_json:
        click.echo(json.dumps(to_json(report), indent=2))
        return
    for line in [*to_text(report, with_sweep=with_sweep), *written]:
        click.echo(line)

"""``stinger train``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from models.cli.label_options import label_options, stream_options
from models.cli.options import TRAIN_DIR, test_size_option
from models.cli.others_options import others_options
from models.cli.stream_input import stream_dataset
from models.cli.training_set import read_training_set
from models.dataset import Dataset, check_savable
from models.feature_sets import FEATURE_SETS
from models.metrics import ClassReport
from models.row_options import STREAM, STREAM_FIT, WINDOW_FIT, WINDOWS, fit_options
from models.spec import MODELS, parse_spec, spec_in_words
from models.splits import SPLITS
from stinger.cli.options import (
    ANY_PATH,
    MAX_SEED,
    every_option,
    json_option,
    min_shot_gap_option,
    rate_option,
)
from stinger.errors import InputError
from stinger.files import check_output, make_folder, write_bytes
from stinger.wording import counted

if TYPE_CHECKING:
    from models.training import TrainingOptions, TrainingResult


class _Layers(click.ParamType[tuple[int, ...]]):
    """Widths of hidden layers: ``64,32``."""

    name = "N[,N...]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        try:
            layers = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            layers = ()
        if not layers or not all(1 <= width <= 10_000 for width in layers):  # noqa: PLR2004
            self.fail(f"'{value}' is not a list of layer widths: expected whole numbers, such as 64,32", param, ctx)
        return layers


@click.command(short_help="Train a model on a training set or recordings, and measure it.")
@click.argument("logs", metavar="[LOG]...", nargs=-1, type=ANY_PATH)
@click.option(
    "--train-dir",
    type=ANY_PATH,
    metavar="FOLDER",
    help=f"With --labels windows: the training set, written by 'stinger explore --export-dataset'.  [default: {TRAIN_DIR}]",
)
@click.option("--model", type=click.Choice(MODELS), default="logreg", show_default=True, help="The model to train.")
@click.option(
    "--features",
    type=click.Choice(FEATURE_SETS),
    default="summary",
    show_default=True,
    help="Features of a window that the model gets.",
)
@click.option(
    "--model-spec",
    "spec",
    metavar="MODEL:FEATURES[+...]",
    help="Model and features in one; several joined by '+' are an ensemble, such as mlp:rich+et:rich.",
)
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="random",
    show_default=True,
    help="Rows to test on: random rows, the end of each session (time), whole shots (group), or whole sessions.",
)
@test_size_option
@click.option(
    "--seed", type=click.IntRange(0, MAX_SEED), default=1, show_default=True, help="Random seed of split and model."
)
@click.option("--mlp-hidden", type=_Layers(), help="Hidden layers of the MLP.  [default: 64,32; flatten: 32]")
@click.option(
    "--mlp-alpha",
    type=click.FloatRange(0),
    help=f"L2 penalty of the MLP.  [default: {WINDOW_FIT.mlp_alpha}; --labels stream: {STREAM_FIT.mlp_alpha}]",
)
@click.option(
    "--trees",
    type=click.IntRange(1, 100_000),
    help=f"Trees of rf, et and xgb.  [default: {WINDOW_FIT.trees}; --labels stream: {STREAM_FIT.trees}]",
)
@click.option(
    "--max-rows", type=click.IntRange(0), default=0, show_default=True, help="Use at most N random rows; 0: all."
)
@click.option("--out", type=ANY_PATH, metavar="FILE", help="Save the model to this file, such as model.onnx.")
@click.option(
    "--refit",
    is_flag=True,
    help="Save a model fitted on all rows; the figures are those of one fitted without the test rows.",
)
@label_options(WINDOWS)
@others_options
@min_shot_gap_option
@rate_option
@every_option
@json_option
def train(
    *,
    logs: tuple[str, ...],
    train_dir: str | None,
    model: str,
    features: str,
    spec: str | None,
    split: str,
    test_size: float,
    seed: int,
    mlp_hidden: tuple[int, ...] | None,
    mlp_alpha: float | None,
    trees: int | None,
    max_rows: int,
    out: str | None,
    refit: bool,
    labels: str,
    others: tuple[str, ...],
    own_weight: float,
    min_shot_gap_ms: float,
    rate_hz: float,
    every: int,
    as_json: bool,
    **stream_values: Any,
) -> None:
    """Train a model on one part of a training set and measure it on the other.

    With --labels stream, the training set consists of samples of the recordings LOG (files, or URLs of files or folders
    in shared storage, such as s3://BUCKET/FOLDER); without it, it is read from --train-dir.

    The figures of a random split are too good, because windows of one shot are on both sides. Use --split session to
    estimate how the model does with another person, and --split group within one session.
    """
    from models.training import TrainingOptions
    from models.training import train as train_model

    if labels == WINDOWS and not logs:
        train_dir = train_dir or TRAIN_DIR
    _check_source(labels, train_dir, logs, others)
    if spec is not None:
        _refuse_with_spec("model", "features")
    rows = stream_options(stream_values, seed=seed)
    defaults = fit_options(rows) if labels == STREAM else WINDOW_FIT
    options = TrainingOptions(
        spec=parse_spec(spec or f"{model}:{features}"),
        split=split,
        test_size=test_size,
        seed=seed,
        max_rows=max_rows,
        refit=refit,
        turned_deg=rows.turned_deg if labels == STREAM else 0,
        estimators=replace(
            defaults,
            mlp_hidden=mlp_hidden or defaults.mlp_hidden,
            mlp_alpha=defaults.mlp_alpha if mlp_alpha is None else mlp_alpha,
            trees=trees or defaults.trees,
            n_jobs=-1,
        ),
    )
    if out is not None:
        make_folder(Path(out).parent)
        check_output(out)
    elif refit:
        click.echo("Warning: --refit has no effect without --out", err=True)
    if train_dir is not None:
        source, dataset = train_dir, read_training_set(train_dir)
    else:
        source = ", ".join(logs)
        dataset, names = stream_dataset(
            logs, rows, others=others, min_shot_gap_ms=min_shot_gap_ms, rate_hz=rate_hz, every=every
        )
        options = replace(options, others=names, own_weight=own_weight)
    if out is None:
        result = train_model(dataset, options)
    else:
        from models.saving import model_file_bytes

        check_savable(dataset)
        result = train_model(dataset, options)
        write_bytes(out, model_file_bytes(dataset, result))
    if as_json:
        click.echo(json.dumps(training_summary(source, dataset, result), indent=2))
        return
    for line in _lines(source, dataset, result):
        click.echo(line)
    if out is not None:
        click.echo(f"{out}: saved, fitted on {'all rows' if refit else 'the train side'}")


def _refuse_with_spec(*options: str) -> None:
    """Raise :class:`InputError` if one of ``options`` was given, because ``--model-spec`` contains them."""
    context = click.get_current_context()
    for option in options:
        if context.get_parameter_source(option) is not ParameterSource.DEFAULT:
            raise InputError(f"--model-spec and --{option} set the same: give one of them only")


def _check_source(labels: str, train_dir: str | None, logs: Sequence[str], others: Sequence[str]) -> None:
    """Raise :class:`InputError` unless there is a training set for ``labels``, and only one."""
    if labels == STREAM and (train_dir is not None or not logs):
        raise InputError("--labels stream trains on recordings: give them as LOG, without --train-dir")
    if labels == WINDOWS and others:
        raise InputError("--others is for --labels stream, which trains on recordings")
    if labels == WINDOWS and logs:
        raise InputError(
            "--labels windows trains on a training set: give --train-dir, written by 'stinger explore --export-dataset', "
            "or use --labels stream to train on recordings"
        )


def training_summary(folder: str, dataset: Dataset, result: TrainingResult) -> dict[str, Any]:
    """Return ``result`` without the model as JSON-ready values."""
    options = asdict(result.options)
    del options["spec"]
    estimators = options.pop("estimators")
    return {
        "dataset": {
            "path": folder,
            "rows": len(dataset),
            "positives": int(dataset.labels.sum()),
            "sessions": len(set(dataset.rows.session.tolist())),
            "window_samples": result.window_samples,
        },
        "model": "+".join(member.model for member in result.options.spec.members),
        "features": "+".join(member.features for member in result.options.spec.members),
        **options,
        **{name: estimators[name] for name in ("mlp_hidden", "mlp_alpha", "trees")},
        "train": {"rows": int(result.split.train.size), "positives": result.train_positives},
        "test": {"rows": int(result.split.test.size), "positives": result.test_positives},
        **asdict(result.metrics),
        "report": asdict(result.report),
        "warnings": list(result.warnings),
    }


def _lines(folder: str, dataset: Dataset, result: TrainingResult) -> list[str]:
    options, metrics, report, split = result.options, result.metrics, result.report, result.split
    used = "" if result.rows.size == len(dataset) else f"; {result.rows.size:,} of them used"
    pairs = [
        ("dataset", f"{_rows(len(dataset), int(dataset.labels.sum()))}{used}"),
        ("windows", f"{result.window_samples} samples of 6 channels"),
        ("model", f"{spec_in_words(str(options.spec))}, seed {options.seed}"),
        ("split", options.split),
        *(("others", _others(options)) for _ in options.others[:1]),
        ("train", _rows(split.train.size, result.train_positives)),
        ("test", _rows(split.test.size, result.test_positives)),
        ("ROC AUC", f"{metrics.roc_auc:.3f}"),
        ("PR AUC", f"{metrics.pr_auc:.3f}   (chance: {result.test_positives / split.test.size:.3f})"),
        ("best F1", f"{metrics.best_f1:.3f}   at threshold {metrics.best_threshold:.2f}"),
        *(("warning", warning) for warning in result.warnings),
    ]
    return [
        folder,
        *(f"  {label:<11}{text}" for label, text in pairs),
        f"  at threshold {report.threshold:.2f}",
        f"    {'':<11}{'precision':>10}{'recall':>9}{'F1':>9}{'rows':>8}",
        _class_line("no shot", report.negative),
        _class_line("shot", report.positive),
        f"    {'accuracy':<11}{'':>10}{'':>9}{report.accuracy:>9.3f}{split.test.size:>8,}",
    ]


def _others(options: TrainingOptions) -> str:
    count = counted(len(options.others), "recording")
    return f"{count} of others, trained on only; an own row counts as {options.own_weight:g} of theirs"


def _rows(count: int, positives: int) -> str:
    return f"{count:,} rows: {positives:,} positive, {count - positives:,} negative"


def _class_line(name: str, report: ClassReport) -> str:
    return f"    {name:<11}{report.precision:>10.3f}{report.recall:>9.3f}{report.f1:>9.3f}{report.support:>8,}"

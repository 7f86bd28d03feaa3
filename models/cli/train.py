"""``stinger train``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from models.cli.options import test_size_option, train_dir_option
from models.cli.training_set import read_training_set
from models.dataset import Dataset, check_savable
from models.feature_sets import FEATURE_SETS
from models.metrics import ClassReport
from models.spec import MODELS, parse_spec, spec_in_words
from models.splits import SPLITS
from models.training import TrainingOptions, TrainingResult
from models.training import train as train_model
from stinger.cli.options import ANY_PATH, MAX_SEED, json_option
from stinger.files import check_output, make_folder, write_bytes


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


@click.command(short_help="Train a model on a training set and measure it.")
@train_dir_option
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
@click.option("--mlp-alpha", type=click.FloatRange(0), default=1e-4, show_default=True, help="L2 penalty of the MLP.")
@click.option(
    "--trees", type=click.IntRange(1, 100_000), default=300, show_default=True, help="Trees of rf, et and xgb."
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
@json_option
def train(
    *,
    train_dir: str,
    model: str,
    features: str,
    spec: str | None,
    split: str,
    test_size: float,
    seed: int,
    mlp_hidden: tuple[int, ...] | None,
    mlp_alpha: float,
    trees: int,
    max_rows: int,
    out: str | None,
    refit: bool,
    as_json: bool,
) -> None:
    """Train a model on one part of a training set and measure it on the other.

    The figures of a random split are too good, because windows of one shot are on both sides. Use --split session to
    estimate how the model does with another person, and --split group within one session.
    """
    options = TrainingOptions(
        spec=parse_spec(spec or f"{model}:{features}"),
        split=split,
        test_size=test_size,
        seed=seed,
        mlp_hidden=mlp_hidden,
        mlp_alpha=mlp_alpha,
        trees=trees,
        max_rows=max_rows,
        n_jobs=-1,
        refit=refit,
    )
    if out is not None:
        make_folder(Path(out).parent)
        check_output(out)
    elif refit:
        click.echo("Warning: --refit has no effect without --out", err=True)
    dataset = read_training_set(train_dir)
    if out is None:
        result = train_model(dataset, options)
    else:
        # Imported only here: not needed without --out, and slow to import.
        from models.saving import model_file_bytes  # noqa: PLC0415

        check_savable(dataset)
        result = train_model(dataset, options)
        write_bytes(out, model_file_bytes(dataset, result))
    if as_json:
        click.echo(json.dumps(training_summary(train_dir, dataset, result), indent=2))
        return
    for line in _lines(train_dir, dataset, result):
        click.echo(line)
    if out is not None:
        click.echo(f"{out}: saved, fitted on {'all rows' if refit else 'the train side'}")


def training_summary(folder: str, dataset: Dataset, result: TrainingResult) -> dict[str, Any]:
    """Return ``result`` without the model as JSON-ready values."""
    options = asdict(result.options)
    del options["spec"], options["n_jobs"]
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


def _rows(count: int, positives: int) -> str:
    return f"{count:,} rows: {positives:,} positive, {count - positives:,} negative"


def _class_line(name: str, report: ClassReport) -> str:
    return f"    {name:<11}{report.precision:>10.3f}{report.recall:>9.3f}{report.f1:>9.3f}{report.support:>8,}"

"""``stinger plot``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import numpy as np
from click.core import ParameterSource

from models.cli.options import TRAIN_DIR
from models.dataset import Dataset, read_dataset
from models.model_file import Model, load_model
from models.names import distinct, stems
from models.spec import EstimatorOptions, ModelSpec, parse_spec
from models.windows import WINDOW_MS
from replay.cli.picture_options import (
    dpi_option,
    lead_option,
    overview_points_option,
    shot_post_option,
    shot_pre_option,
)
from replay.cli.plot_input import check_dataset, check_window, sessions_to_plot, warn_of_overlap
from replay.plots.forecast import Probabilities, forecast_of
from replay.trace import score_sessions
from stinger.cli.options import (
    ANY_FOLDER,
    ANY_PATH,
    MAX_SEED,
    FiniteRange,
    Milliseconds,
    every_option,
    min_shot_gap_option,
    rate_option,
)
from stinger.cli.progress import progress_bar
from stinger.cli.repairs import warn_of_repairs
from stinger.errors import InputError
from stinger.logs import read_marked_log

COMPARED: Final = ("logreg:summary", "et:rich", "mlp:rich")
"""The models that --compare trains by default."""
_FIT: Final = EstimatorOptions(mlp_early_stopping=False, trees=600, n_jobs=-1)
"""As ``stinger benchmark`` fits them."""


@click.command(short_help="Train models and plot their output over a recording.")
@click.option(
    "--csv",
    "log_path",
    metavar="LOG",
    type=ANY_PATH,
    default="ml_log.csv",
    show_default=True,
    help="The recording, in any format.",
)
@click.option(
    "--train-dir",
    type=ANY_FOLDER,
    default=Path(TRAIN_DIR),
    show_default=True,
    help="The training set.",
)
@click.option(
    "--outdir",
    type=ANY_FOLDER,
    default=Path("ml_out/predictions"),
    show_default=True,
    help="The folder to write to.",
)
@click.option(
    "--model", type=click.Choice(["logreg", "et", "mlp"]), default="mlp", show_default=True, help="The model to train."
)
@click.option(
    "--features",
    type=click.Choice(["summary", "rich"]),
    default="rich",
    show_default=True,
    help="Features of a window that the model gets.",
)
@click.option("--compare", is_flag=True, help="Plot several models in the same pictures: those of --model-spec.")
@click.option(
    "--model-spec",
    "specs",
    multiple=True,
    metavar="MODEL:FEATURES",
    help=f"A model to compare; repeatable.  [default: {' '.join(COMPARED)}]",
)
@click.option(
    "--model-file",
    "model_files",
    multiple=True,
    type=ANY_PATH,
    metavar="FILE",
    help="Plot this model file instead of training one; with --compare, in addition. Repeatable.",
)
@click.option("--seed", type=click.IntRange(0, MAX_SEED), default=1, show_default=True, help="Random seed of training.")
@lead_option("The value at time t is the output for the window that ends this long before t.")
@click.option(
    "--window-ms",
    type=Milliseconds(1),
    default=WINDOW_MS,
    show_default=True,
    help="Length of a window; models take no other than the default.",
)
@min_shot_gap_option
@click.option(
    "--include-rejected-shots", is_flag=True, help="Also draw rejected trigger edges, after the accepted shots."
)
@click.option("--stride", type=click.IntRange(1), default=1, show_default=True, help="Use only every Nth prediction.")
@overview_points_option("overview.png", default=25_000)
@shot_pre_option(1500)
@shot_post_option(300)
@click.option(
    "--max-shots",
    type=click.IntRange(0),
    default=30,
    show_default=True,
    help="Draw at most N shots; 0: none.",
)
@click.option(
    "--threshold",
    type=FiniteRange(0, 1),
    default=0.5,
    show_default=True,
    help="Draw a line at this probability.",
)
@dpi_option(200)
@click.option(
    "--max-negs",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Draw at most N negative windows; 0: none.",
)
@rate_option
@every_option
def plot(
    *,
    log_path: str,
    train_dir: Path,
    outdir: Path,
    model: str,
    features: str,
    compare: bool,
    specs: tuple[str, ...],
    model_files: tuple[str, ...],
    seed: int,
    lead_ms: float,
    window_ms: float,
    min_shot_gap_ms: float,
    include_rejected_shots: bool,
    stride: int,
    overview_max_points: int,
    shot_pre_ms: float,
    shot_post_ms: float,
    max_shots: int,
    threshold: float,
    dpi: int,
    max_negs: int,
    rate_hz: float,
    every: int,
) -> None:
    """Train a model on the whole training set, and plot its probability over the whole recording.

    Models score as in the daemon: the value at time t is what the model outputs --lead-ms earlier. Writes the pictures
    overview.png, shots/, negatives/ and pos_vs_neg_hist.png, and the numbers to predictions.csv. With --model-file
    alone nothing is trained; if there is no training set either, negatives and histogram are left out.
    """
    from replay.plots.predictions import (
        Prediction,
        PredictionOptions,
        check_inputs,
        pictures_at_most,
        write_predictions,
    )

    if len(model_files) > 1 and not compare:
        raise InputError("several --model-file need --compare")
    check_window(window_ms)
    _warn_of_ignored(compare=compare, model_file=bool(model_files))
    check_inputs(outdir, [log_path, *model_files])
    models = [load_model(path) for path in model_files]
    to_train = _distinct(specs or COMPARED) if compare else [parse_spec(f"{model}:{features}")]
    if models and not compare:
        to_train = []
    dataset = read_dataset(train_dir) if to_train or _given("train_dir") or train_dir.is_dir() else None
    log = read_marked_log(log_path, rate_hz=rate_hz, every=every)
    warn_of_repairs(log)
    sessions, spans = sessions_to_plot(log, min_shot_gap_ms=min_shot_gap_ms, lead_ms=lead_ms)
    trained_on = dataset if to_train else None
    warn_of_overlap(log, sessions, dict(zip(model_files, models, strict=True)), trained_on)
    if dataset is not None:
        check_dataset(dataset, train_dir, lead_ms=lead_ms)
        models += _trained(dataset, to_train, seed)
    with progress_bar("Scoring", len(models) * len(sessions)) as progress:
        traces = [score_sessions(one, sessions, progress=progress) for one in models]
    prediction = Prediction(
        sessions=sessions,
        spans=spans,
        forecasts=[
            forecast_of(of_session, span, stride=stride)
            for of_session, span in zip(zip(*traces, strict=True), spans, strict=True)
        ],
        dataset=dataset,
        dataset_probability=None if dataset is None else _probability(models, dataset),
        names=(*distinct(stems(model_files)), *map(str, to_train)),
    )
    windows = f"in {train_dir}" if model_files else f"that the {'models were' if compare else 'model was'} trained on"
    options = PredictionOptions(
        compare=compare,
        lead_ms=lead_ms,
        include_rejected=include_rejected_shots,
        pre_ms=shot_pre_ms,
        post_ms=shot_post_ms,
        max_shots=max_shots,
        max_negatives=max_negs,
        threshold=threshold,
        dpi=dpi,
        max_points=overview_max_points,
        histogram_title=f"Probability of the windows {windows}",
    )
    with progress_bar("Drawing", pictures_at_most(prediction, options)) as progress:
        written = write_predictions(outdir, prediction, options, progress=progress)
    for line in written:
        click.echo(line)


def _trained(dataset: Dataset, specs: Sequence[ModelSpec], seed: int) -> list[Model]:
    """Fit each of ``specs`` on all of ``dataset``; print warnings about the fits."""
    if not specs:
        return []
    from models.saving import fit_dataset

    models = []
    for spec in specs:
        model, warnings = fit_dataset(dataset, spec, seed=seed, options=_FIT)
        for warning in warnings:
            click.echo(f"Warning: {spec}: {warning}", err=True)
        models.append(model)
    return models


def _probability(models: Sequence[Model], dataset: Dataset) -> Probabilities:
    """Return the probability ``(n, models)`` of each window of ``dataset``."""
    return np.stack([model.probability(dataset.windows).astype(np.float64) for model in models], axis=1)


def _distinct(specs: tuple[str, ...]) -> list[ModelSpec]:
    return list(dict.fromkeys(parse_spec(text) for text in specs))


def _given(option: str) -> bool:
    """Return whether ``option`` was given on the command line or in the environment."""
    return click.get_current_context().get_parameter_source(option) is not ParameterSource.DEFAULT


def _warn_of_ignored(*, compare: bool, model_file: bool) -> None:
    """Warn about given options that do not affect which models are plotted."""
    if _given("specs") and not compare:
        click.echo("Warning: --model-spec has no effect without --compare", err=True)
    for option in ("model", "features"):
        if _given(option) and (compare or model_file):
            other = "--compare: name models by --model-spec" if compare else "--model-file"
            click.echo(f"Warning: --{option} has no effect with {other}", err=True)

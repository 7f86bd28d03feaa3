"""``stinger explore``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from models.cli.log_input import distinct_sessions, open_logs
from models.dataset import Dataset
from models.export import ExportOptions, build_dataset
from models.negatives import NegativeOptions
from models.sessions import Session
from models.windows import WINDOW_MS
from replay.cli.negative_options import negative_options, negatives_of
from replay.cli.picture_options import (
    dpi_option,
    lead_option,
    overview_points_option,
    shot_post_option,
    shot_pre_option,
)
from replay.plots.exploration_files import SHOTS_FOLDER, TRAIN_FOLDER
from stinger.cli.options import ANY_FOLDER, ANY_PATH, Milliseconds, every_option, min_shot_gap_option, rate_option
from stinger.cli.progress import progress_bar
from stinger.wording import counted


@click.command(short_help="Plot recordings and their shots, and export a training set.")
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=ANY_PATH)
@click.option(
    "--outdir",
    type=ANY_FOLDER,
    default=Path("ml_out"),
    show_default=True,
    help="The folder to write to.",
)
@click.option("--clean", "clean_first", is_flag=True, help="First delete the files that an earlier run wrote there.")
@click.option("--export-dataset", is_flag=True, help=f"Also write a training set to OUTDIR/{TRAIN_FOLDER}.")
@lead_option("Time from the end of a positive window to its shot.")
@click.option("--window-ms", type=Milliseconds(1), default=WINDOW_MS, show_default=True, help="Length of a window.")
@min_shot_gap_option
@shot_pre_option(1000)
@shot_post_option(200)
@click.option("--max-shots", type=click.IntRange(0), default=0, help="Draw at most N shots; 0: all.  [default: 0]")
@click.option(
    "--start-shot",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Draw no pictures of the first N shots.",
)
@dpi_option(150)
@overview_points_option("dataset.png", default=20_000)
@negative_options(NegativeOptions())
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Random seed for drawing negatives.")
@rate_option
@every_option
def explore(
    *,
    logs: tuple[str, ...],
    outdir: Path,
    clean_first: bool,
    export_dataset: bool,
    lead_ms: float,
    window_ms: float,
    min_shot_gap_ms: float,
    shot_pre_ms: float,
    shot_post_ms: float,
    max_shots: int,
    start_shot: int,
    dpi: int,
    overview_max_points: int,
    seed: int,
    rate_hz: float,
    every: int,
    **negatives: Any,
) -> None:
    """Plot the recordings LOG and each of their shots; with --export-dataset, also write a training set.

    Several logs, and the boots within a log, become sessions of one training set. Samples that are in several of them,
    such as those of a log fetched twice, are used once. A window is positive if it ends --lead-ms before an accepted
    shot; negatives are drawn from the other windows as the --neg options describe. A LOG is a file, or the URL of a
    file or folder in shared storage, such as s3://BUCKET/FOLDER.
    """
    from replay.plots.exploration import ShotSeries, check_inputs, write_exploration

    options = ExportOptions(
        lead_ms=lead_ms,
        window_ms=window_ms,
        negatives=negatives_of(negatives),
        seed=seed,
    )
    read = open_logs(logs, rate_hz=rate_hz, every=every)
    sessions = distinct_sessions(read, min_shot_gap_ms=min_shot_gap_ms)
    about = {
        "inputs": [{"path": log.path, "sha256": log.sha256} for log in read],
        "min_shot_gap_ms": min_shot_gap_ms,
        "capture_rate_hz": rate_hz,
        "capture_every": every,
        "shot_pre_ms": shot_pre_ms,
        "shot_post_ms": shot_post_ms,
        "max_shots": max_shots,
        "start_shot": start_shot,
        "dpi": dpi,
        "overview_max_points": overview_max_points,
    }
    series = ShotSeries(
        lead_ms=lead_ms,
        window_ms=window_ms,
        pre_ms=shot_pre_ms,
        post_ms=shot_post_ms,
        first=start_shot,
        count=max_shots or None,
    )
    # Check before anything is deleted or written, so that an error leaves the folder unchanged.
    check_inputs(outdir, read, sessions, series, with_dataset=export_dataset, clean_first=clean_first)
    dataset = build_dataset(sessions, options, about=about) if export_dataset else None
    with progress_bar("Drawing", series.length(sessions)) as progress:
        pictures = write_exploration(
            outdir,
            read,
            sessions,
            dataset,
            series=series,
            min_shot_gap_ms=min_shot_gap_ms,
            dpi=dpi,
            max_points=overview_max_points,
            clean_first=clean_first,
            progress=progress,
        )
    _report(outdir, sessions, dataset, pictures)


def _report(outdir: Path, sessions: Sequence[Session], dataset: Dataset | None, pictures: int) -> None:
    for session in sessions:
        recording = session.recording
        accepted = session.accepted_shots
        click.echo(
            f"{session.name}: {len(recording):,} samples, {recording.duration_ms / 1000:,.1f} s, "
            f"{len(session.shots):,} trigger edges ({accepted:,} accepted, {len(session.shots) - accepted:,} rejected)"
        )
    click.echo(f"{outdir}: summary.json, dataset.png")
    click.echo(f"{outdir / SHOTS_FOLDER}: {counted(pictures, 'picture')}, index.csv")
    if dataset is None:
        return
    meta = dataset.meta
    left_out = meta["positives_left_out"]
    click.echo(
        f"{outdir / TRAIN_FOLDER}: {len(dataset):,} windows of {meta['window_samples']} samples, "
        f"{meta['positives']:,} positive, {meta['negatives']:,} negative"
    )
    if meta["sessions_too_short"]:
        click.echo(f"  left out, too short for a window: {', '.join(meta['sessions_too_short'])}")
    if left_out:
        click.echo(f"  left out, shots without a complete window before them: {left_out:,}")
    for name, count in meta["negative_filters"].items():
        removed = ", ".join(f"{label.replace('_', ' ')} {number:,}" for label, number in count.items() if number)
        click.echo(f"  {name}: {removed}")

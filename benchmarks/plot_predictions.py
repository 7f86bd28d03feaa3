"""Plotting the output of models, against a new figure for each picture and scoring one window at a time.

Run: python -m benchmarks.plot_predictions.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.timing import side_by_side
from models.dataset import Dataset
from models.export import ExportOptions, build_dataset
from models.model_file import Model
from models.negatives import NegativeOptions
from models.saving import fit_dataset
from models.sessions import Session, open_sessions
from models.spec import parse_spec
from models.windows import span_of, windows_at
from replay.plots.drawing import draw_excerpts
from replay.plots.excerpt import excerpt
from replay.plots.excerpt_picture import ExcerptLook
from replay.plots.forecast import Forecast, forecast_of
from replay.trace import score_sessions
from stinger.logs import read_log, write_log
from tests.helpers.synthetic import synthetic_samples

SPECS = ("logreg:summary", "et:rich", "mlp:rich")
ROWS = 200
PICTURES = 10
DPI = 250


def row_by_row(session: Session, models: list[Model]) -> list[float]:
    """Score the first ``ROWS`` windows with each model, one window at a time."""
    span = span_of(session.recording)
    found = []
    for model in models:
        for end in range(span.window_samples, span.window_samples + ROWS):
            window = windows_at(session.recording.axes, np.array([end]), span.window_samples)
            found.append(float(model.probability(window)[0]))
    return found


def forecast(session: Session, models: list[Model]) -> Forecast:
    traces = [score_sessions(model, [session])[0] for model in models]
    return forecast_of(traces, span_of(session.recording))


def drawn_here(session: Session, found: Forecast, folder: Path) -> None:
    look = ExcerptLook(
        dpi=DPI, from_s=-1.5, to_s=0.3, window_s=(-0.6, -0.1), moment="shot", models=SPECS, thresholds=(0.5,)
    )
    moments = session.shots.time_ms[session.shots.accepted][5 : 5 + PICTURES].tolist()
    around = partial(excerpt, session.recording, session.shots, title="shot", pre_ms=1500, post_ms=300)
    draw_excerpts([(look, [(around(t, forecast=found), folder / f"{t}.png") for t in moments])])


def drawn_anew(session: Session, found: Forecast, folder: Path) -> None:
    """Draw in the usual way: a figure for each picture, laid out and saved by matplotlib."""
    times = session.recording.time_ms
    for moment in session.shots.time_ms[session.shots.accepted][5 : 5 + PICTURES].tolist():
        at = slice(*np.searchsorted(times, (moment - 1500, moment + 300)))
        seconds = (times[at] - moment) / 1000
        figure = Figure(figsize=(8, 6.6))
        FigureCanvasAgg(figure)
        panels = figure.subplots(3, 1, sharex=True)
        for column, name in enumerate(SPECS):
            panels[0].plot(seconds, found.probability[at, column], label=name)
        for axis, name in enumerate("xyzxyz"):
            panels[1 + axis // 3].plot(seconds, session.recording.axes[at, axis], label=name)
        for panel in panels:
            panel.axvspan(-0.6, -0.1, alpha=0.2)
            panel.axvline(0)
            panel.legend()
            panel.grid(visible=True)
        figure.tight_layout()
        figure.savefig(folder / f"{moment}.png", dpi=DPI)


def whole_command(log: Path, folder: Path) -> float:
    stinger = [sys.executable, "-m", "stinger"]
    explore = [*stinger, "explore", str(log), "--outdir", str(folder), "--export-dataset", "--max-shots", "1"]
    subprocess.run([*explore, "--neg-mult", "4"], check=True, capture_output=True)
    plot = [*stinger, "plot", "--csv", str(log), "--train-dir", str(folder / "train"), "--outdir", str(folder / "p")]
    start = time.perf_counter()
    options = ["--compare", "--max-shots", "10", "--max-negs", "10", "--dpi", "250"]
    subprocess.run([*plot, *options], check=True, capture_output=True)
    return time.perf_counter() - start


def models_for(session: Session) -> tuple[Dataset, list[Model]]:
    dataset = build_dataset((session,), ExportOptions(negatives=NegativeOptions(mult=4)), about={})
    return dataset, [fit_dataset(dataset, parse_spec(spec), seed=1)[0] for spec in SPECS]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "ml_log.csv"
        write_log(log, synthetic_samples(90_000, 240, bursts=40, gaps=10))
        (session,) = open_sessions([read_log(log)])
        dataset, models = models_for(session)
        print(f"{len(dataset):,} windows to train on")
        seconds = side_by_side(
            f"Three models over 90,000 samples; a row at a time only {ROWS} of them",
            {
                "in batches": lambda: forecast(session, models),
                f"a row at a time, {ROWS} rows": lambda: row_by_row(session, models),
            },
            rounds=1,
        )
        blocks, rows = seconds.values()
        print(f"  a row, in batches {blocks / 90_000 * 1e6:.1f} us, by itself {rows / ROWS * 1e6:.0f} us")
        found = forecast(session, models)
        side_by_side(
            f"{PICTURES} pictures of shots at {DPI} dpi",
            {
                "draw_excerpts": lambda: drawn_here(session, found, folder),
                "a new figure each, tight_layout, savefig": lambda: drawn_anew(session, found, folder),
            },
            rounds=2,
        )
        print("\nstinger plot --compare, 15 minutes, 10 shots, 10 negatives, 250 dpi, with its start and training")
        print(f"  {whole_command(log, folder):.2f} s")


if __name__ == "__main__":
    main()

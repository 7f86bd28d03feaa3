"""Write the results of ``stinger plot`` to a folder: a recording's probabilities as numbers and pictures."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from models.dataset import Dataset
from models.names import distinct
from models.sessions import Session
from models.windows import WINDOW_MS, Span, windows_at
from replay.plots.drawing import Job, draw_excerpts
from replay.plots.excerpt import excerpt
from replay.plots.excerpt_picture import ExcerptLook, Moment
from replay.plots.forecast import Forecast, Probabilities
from replay.plots.histogram import draw_histogram
from replay.plots.outputs import refuse_inputs, remove
from replay.plots.overview import draw_overview
from replay.plots.shot_choice import Shot
from stinger.files import StrPath, atomic_output, make_folder, os_errors
from stinger.wording import counted

OVERVIEW_PICTURE: Final = "overview.png"
HISTOGRAM_PICTURE: Final = "pos_vs_neg_hist.png"
NUMBERS_FILE: Final = "predictions.csv"
SHOTS_FOLDER: Final = "shots"
NEGATIVES_FOLDER: Final = "negatives"
_NUMBERED: Final = {SHOTS_FOLDER: re.compile(r"shot_\d{3,}\.png"), NEGATIVES_FOLDER: re.compile(r"neg_\d{3,}\.png")}
"""Patterns of the names of pictures, by folder."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The output of models ``names`` for the sessions of a log.

    If there is a dataset, also ``(n, models)`` for its windows.
    """

    sessions: Sequence[Session]
    spans: Sequence[Span]
    forecasts: Sequence[Forecast]
    dataset: Dataset | None
    dataset_probability: Probabilities | None
    names: tuple[str, ...]
    chosen: Mapping[Shot, str] | None = None
    """The accepted shots to draw, and a note for the title of each; by default, the first ones."""
    thresholds: tuple[float, ...] = ()
    """The threshold of each model to draw, if they differ; by default, that of the options."""


@dataclass(frozen=True, slots=True)
class PredictionOptions:
    """What to draw, and how; times are in ms."""

    compare: bool
    lead_ms: float
    include_rejected: bool
    pre_ms: float
    post_ms: float
    max_shots: int
    max_negatives: int
    threshold: float
    dpi: float
    max_points: int
    histogram_title: str


def pictures_at_most(prediction: Prediction, options: PredictionOptions) -> int:
    """Return an upper limit of the number of pictures of shots and negatives, for a progress bar."""
    negatives = 0 if prediction.dataset is None else int(np.count_nonzero(prediction.dataset.labels == 0))
    shots = _shots_there(prediction, options) if prediction.chosen is None else len(prediction.chosen)
    return min(options.max_shots, shots) + min(options.max_negatives, negatives)


def write_predictions(
    outdir: Path,
    prediction: Prediction,
    options: PredictionOptions,
    *,
    progress: Callable[[int], object] = lambda _: None,
) -> list[str]:
    """Write all files to ``outdir``, created if missing; return a line about each folder for the user.

    Pictures of an earlier run that are not drawn now are deleted. Raises :class:`~stinger.errors.FileError`.
    """
    accepted = list(_shot_jobs(outdir / SHOTS_FOLDER, prediction, options, accepted=True))
    rejected = (
        list(_shot_jobs(outdir / SHOTS_FOLDER, prediction, options, accepted=False, drawn=len(accepted)))
        if options.include_rejected
        else []
    )
    shots = [*accepted, *rejected]
    negatives = list(_negative_jobs(outdir / NEGATIVES_FOLDER, prediction, options))
    _remove_stale(outdir, {path for _, path in (*shots, *negatives)}, histogram=prediction.dataset is not None)
    for folder in (outdir, outdir / SHOTS_FOLDER, *([outdir / NEGATIVES_FOLDER] if prediction.dataset else [])):
        make_folder(folder)
    rows = _write_numbers(outdir / NUMBERS_FILE, prediction, compare=options.compare)
    log_name = prediction.sessions[0].name
    draw_overview(
        prediction.sessions,
        prediction.forecasts,
        prediction.names,
        outdir / OVERVIEW_PICTURE,
        title=f"Probability of a shot, {options.lead_ms:g} ms ahead: {log_name}",
        thresholds=_thresholds(prediction, options),
        dpi=options.dpi,
        max_points=options.max_points,
    )
    if prediction.dataset is not None and prediction.dataset_probability is not None:
        draw_histogram(
            prediction.dataset,
            prediction.dataset_probability,
            prediction.names,
            outdir / HISTOGRAM_PICTURE,
            title=options.histogram_title,
            threshold=options.threshold,
            dpi=options.dpi,
        )
    draw_excerpts(
        (
            (_look(prediction, options, "shot", "label window"), accepted),
            (_look(prediction, options, "rejected edge", None), rejected),
            (_look(prediction, options, "end of the lead", "negative window"), negatives),
        ),
        progress=progress,
    )
    lines = [
        f"{outdir}: {NUMBERS_FILE} ({counted(rows, 'row')}), {OVERVIEW_PICTURE}",
        f"{outdir / SHOTS_FOLDER}: {len(shots):,} of {counted(_shots_there(prediction, options), 'shot')}",
    ]
    if prediction.dataset is None:
        return lines
    lines[0] += f", {HISTOGRAM_PICTURE}"
    lines.append(f"{outdir / NEGATIVES_FOLDER}: {counted(len(negatives), 'negative window')}")
    if options.max_negatives and not negatives:
        lines[-1] += ": no negative window of the training set is from this recording"
    return lines


def check_inputs(outdir: Path, inputs: Sequence[StrPath]) -> None:
    """Raise :class:`~stinger.errors.FileError` if writing to ``outdir`` would overwrite one of ``inputs``."""
    refuse_inputs(inputs, outdir, (NUMBERS_FILE, OVERVIEW_PICTURE, HISTOGRAM_PICTURE))


def _remove_stale(outdir: Path, drawn: Collection[Path], *, histogram: bool) -> None:
    """Delete the pictures of an earlier run in ``outdir`` except those that are ``drawn`` again."""
    if not (outdir / NUMBERS_FILE).is_file():
        return  # no earlier run wrote there: files of such names belong to the user
    stale = [] if histogram else [HISTOGRAM_PICTURE]
    for name, picture in _NUMBERED.items():
        folder = outdir / name
        if folder.is_dir() and not folder.is_symlink():
            with os_errors(folder):
                found = sorted(path for path in folder.iterdir() if picture.fullmatch(path.name))
            stale += [f"{name}/{path.name}" for path in found if path not in drawn]
    remove(outdir, stale)


def _look(prediction: Prediction, options: PredictionOptions, moment: Moment, window: str | None) -> ExcerptLook:
    return ExcerptLook(
        dpi=options.dpi,
        from_s=-options.pre_ms / 1000,
        to_s=options.post_ms / 1000,
        window_s=(-(options.lead_ms + WINDOW_MS) / 1000, -options.lead_ms / 1000),
        moment=moment,
        window=window,
        models=prediction.names,
        thresholds=_thresholds(prediction, options),
    )


def _thresholds(prediction: Prediction, options: PredictionOptions) -> tuple[float, ...]:
    """Return the threshold of each model."""
    return prediction.thresholds or (options.threshold,) * len(prediction.names)


def _shots_there(prediction: Prediction, options: PredictionOptions) -> int:
    return sum(s.shots.count if options.include_rejected else s.accepted_shots for s in prediction.sessions)


def _shot_jobs(
    folder: Path, prediction: Prediction, options: PredictionOptions, *, accepted: bool, drawn: int = 0
) -> Iterator[Job]:
    """Yield the pictures of accepted or rejected shots in their order, at most ``max_shots`` together with those ``drawn``.

    Pictures are numbered from ``drawn`` on; those of chosen shots by their number among all accepted shots.
    """
    number, left = drawn, options.max_shots - drawn
    chosen = prediction.chosen if accepted else None
    for position, (session, forecast) in enumerate(zip(prediction.sessions, prediction.forecasts, strict=True)):
        shots = session.shots.without_dismissed()
        for moment in shots.time_ms[shots.accepted == accepted].tolist():
            if left <= 0:
                return
            if chosen is None or (position, moment) in chosen:
                kind = "Shot" if accepted else "Rejected edge"
                note = chosen[position, moment] if chosen is not None else ""
                picture = excerpt(
                    session.recording,
                    session.shots,
                    moment,
                    title=f"{kind} {number}{note and f' ({note})'}, trigger at {moment:,} ms, {session.name}",
                    pre_ms=options.pre_ms,
                    post_ms=options.post_ms,
                    forecast=forecast,
                )
                yield picture, folder / f"shot_{number:03d}.png"
                left -= 1
            number += 1


def _negative_jobs(folder: Path, prediction: Prediction, options: PredictionOptions) -> Iterator[Job]:
    """Yield pictures of at most ``max_negatives`` negatives of the training set in this log, evenly spaced among them."""
    found = _negatives_in(prediction)
    picked = np.unique(np.linspace(0, len(found) - 1, min(options.max_negatives, len(found))).round().astype(int))
    for number, (place, end) in enumerate(found[i] for i in picked.tolist()):
        session, span = prediction.sessions[place], prediction.spans[place]
        time_ms = session.recording.time_ms
        event = end + span.lead_samples
        # If the recording ends within the lead, use the time of an event after the end.
        moment = int(time_ms[event]) if event < time_ms.size else round(int(time_ms[end - 1]) + options.lead_ms)
        picture = excerpt(
            session.recording,
            session.shots,
            moment,
            title=f"Negative window {number}, {time_ms[end - span.window_samples]:,} to {time_ms[end - 1]:,} ms, "
            f"{session.name}",
            pre_ms=options.pre_ms,
            post_ms=options.post_ms,
            forecast=prediction.forecasts[place],
        )
        yield picture, folder / f"neg_{number:03d}.png"


def _negatives_in(prediction: Prediction) -> list[tuple[int, int]]:
    """Return (session, end) of each negative of the dataset whose samples are in a session of the log."""
    dataset = prediction.dataset
    if dataset is None:
        return []
    rows = np.flatnonzero(dataset.labels == 0)
    window_samples = dataset.windows.shape[1]
    found: dict[int, tuple[int, int]] = {}
    for place, session in enumerate(prediction.sessions):
        recording = session.recording
        ends = np.searchsorted(recording.time_ms, dataset.rows.window_end_ms[rows], side="right")
        inside = (ends >= window_samples) & (ends <= len(recording))
        held = windows_at(recording.axes, ends[inside], window_samples)
        same = (held == dataset.windows[rows[inside]]).all(axis=(1, 2))
        for row, end in zip(rows[inside][same].tolist(), ends[inside][same].tolist(), strict=True):
            found.setdefault(row, (place, end))
    return [found[row] for row in sorted(found)]


def _write_numbers(path: Path, prediction: Prediction, *, compare: bool) -> int:
    """Write one row for every sample that has a probability; return the number of rows."""
    names = distinct([f"p_{name.replace(':', '_')}" for name in prediction.names])
    count = 0
    with atomic_output(path) as file:
        text = io.TextIOWrapper(file, encoding="ascii", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["timestamp_ms", "trigger", *names] if compare else ["timestamp_ms", "p", "trigger"])
        for session, forecast in zip(prediction.sessions, prediction.forecasts, strict=True):
            index, probability = forecast.known()
            times = session.recording.time_ms[index].tolist()
            triggers = session.recording.trigger[index].tolist()
            columns = [column.tolist() for column in probability.T.round(6)]
            writer.writerows(
                zip(times, triggers, *columns, strict=True) if compare else zip(times, *columns, triggers, strict=True)
            )
            count += index.size
        text.detach()
    return count

"""Write the results of ``stinger explore`` to a folder: summary, pictures, training set."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.dataset import Dataset, write_dataset
from models.sessions import Session
from replay.plots.drawing import Job, draw_excerpts
from replay.plots.excerpt import excerpt
from replay.plots.excerpt_picture import ExcerptLook
from replay.plots.exploration_files import (
    DATASET_PICTURE,
    SHOT_INDEX,
    SHOTS_FOLDER,
    SUMMARY_FILE,
    TRAIN_FILES,
    TRAIN_FOLDER,
    earlier_files,
    is_shot_picture,
    shot_picture,
)
from replay.plots.outputs import refuse_inputs, remove
from replay.plots.overview import draw_dataset
from stinger.files import make_folder, text_bytes, write_bytes
from stinger.logs import Log
from stinger.sample import INT16_MAX, INT16_MIN, axes
from stinger.summary import summarise

SHOT_INDEX_COLUMNS: Final = (
    "shot_num",
    "trigger_timestamp_ms",
    "crop_start_ms",
    "crop_end_ms",
    "prediction_window_start_ms",
    "prediction_window_end_ms",
    "png",
    "session",
)


@dataclass(frozen=True, slots=True)
class ShotSeries:
    """Which accepted shots to draw, and the times around them in ms. With ``count`` ``None``, all from ``first`` on."""

    lead_ms: float
    window_ms: float
    pre_ms: float
    post_ms: float
    first: int = 0
    count: int | None = None

    def length(self, sessions: Sequence[Session]) -> int:
        """Return the number of pictures."""
        there = max(0, sum(session.accepted_shots for session in sessions) - self.first)
        return there if self.count is None else min(there, self.count)


def check_inputs(
    outdir: Path,
    logs: Sequence[Log],
    sessions: Sequence[Session],
    series: ShotSeries,
    *,
    with_dataset: bool,
    clean_first: bool,
) -> None:
    """Raise an error if an exploration below ``outdir`` would write or remove one of ``logs``.

    The error is a :class:`~stinger.errors.FileError`.
    """
    planned = _planned(sessions, series, with_dataset=with_dataset)
    removed = [name for name in earlier_files(outdir) if clean_first or is_shot_picture(name)]
    refuse_inputs([log.path for log in logs], outdir, dict.fromkeys([*planned, *removed]))


def write_exploration(
    outdir: Path,
    logs: Sequence[Log],
    sessions: Sequence[Session],
    dataset: Dataset | None,
    *,
    series: ShotSeries,
    min_shot_gap_ms: float,
    dpi: float,
    max_points: int,
    clean_first: bool = False,
    progress: Callable[[int], object] = lambda _: None,
) -> int:
    """Write all files to ``outdir``, created if missing, and return the number of drawn shots.

    First delete files of an earlier exploration: all with ``clean_first``, otherwise the pictures of shots that are not
    drawn now. Without ``dataset`` no training set is written. Raises :class:`~stinger.errors.FileError`.
    """
    planned = _planned(sessions, series, with_dataset=dataset is not None)
    earlier = earlier_files(outdir)
    stale = [name for name in earlier if clean_first or (is_shot_picture(name) and name not in planned)]
    # Delete the summary last: until then it lists what has to be deleted.
    remove(outdir, sorted(stale, key=lambda name: name == SUMMARY_FILE))
    for folder in (outdir, outdir / SHOTS_FOLDER, *([outdir / TRAIN_FOLDER] if dataset else [])):
        make_folder(folder)
    # Write the summary before the files that it lists: after an interruption, a later run can still delete all of them.
    kept = [name for name in earlier if name not in stale]
    summary = _summary(logs, sessions, series, min_shot_gap_ms, files=list(dict.fromkeys((*planned, *kept))))
    write_bytes(outdir / SUMMARY_FILE, (json.dumps(summary, indent=2) + "\n").encode())
    if dataset:
        write_dataset(outdir / TRAIN_FOLDER, dataset)
    write_bytes(outdir / SHOT_INDEX, text_bytes(_index_csv(sessions, series)))
    draw_dataset(
        sessions,
        outdir / DATASET_PICTURE,
        title=_title(sessions, summary),
        dpi=dpi,
        max_points=max_points,
    )
    jobs = _shot_jobs(outdir, sessions, series)
    look = ExcerptLook(
        dpi=dpi,
        from_s=-series.pre_ms / 1000,
        to_s=series.post_ms / 1000,
        window_s=(-(series.lead_ms + series.window_ms) / 1000, -series.lead_ms / 1000),
        moment="shot",
    )
    draw_excerpts([(look, jobs)], progress=progress)
    return len(jobs)


def _planned(sessions: Sequence[Session], series: ShotSeries, *, with_dataset: bool) -> list[str]:
    """Return the names of all files that an exploration writes."""
    pictures = [shot_picture(shot_num, moment) for _, shot_num, moment in _shots(sessions, series)]
    return [SUMMARY_FILE, DATASET_PICTURE, SHOT_INDEX, *pictures, *(TRAIN_FILES if with_dataset else ())]


def _title(sessions: Sequence[Session], summary: dict[str, Any]) -> str:
    """Return the title of the overview: counts first, because the end may be cut off."""
    names = ", ".join(session.name for session in sessions[:3]) + (", ..." if len(sessions) > 3 else "")  # noqa: PLR2004
    return f"{summary['samples']:,} samples, {summary['trigger']['accepted']:,} accepted shots: {names}"


def _shots(sessions: Sequence[Session], series: ShotSeries) -> Iterator[tuple[Session, int, int]]:
    """Yield session, number and time of each shot to draw."""
    last = series.first + series.length(sessions)
    for session in sessions:
        shot_ms = session.shots.time_ms[session.shots.accepted]
        for shot_num, moment in enumerate(shot_ms.tolist(), start=session.first_shot_num):
            if series.first <= shot_num < last:
                yield session, shot_num, moment


def _shot_jobs(outdir: Path, sessions: Sequence[Session], series: ShotSeries) -> list[Job]:
    return [
        (
            excerpt(
                session.recording,
                session.shots,
                moment,
                title=f"Shot {shot_num}, trigger at {moment:,} ms, {session.name}",
                pre_ms=series.pre_ms,
                post_ms=series.post_ms,
            ),
            outdir / shot_picture(shot_num, moment),
        )
        for session, shot_num, moment in _shots(sessions, series)
    ]


def _index_csv(sessions: Sequence[Session], series: ShotSeries) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SHOT_INDEX_COLUMNS)
    for session, shot_num, moment in _shots(sessions, series):
        span = (moment - series.pre_ms, moment + series.post_ms)
        window = (moment - series.lead_ms - series.window_ms, moment - series.lead_ms)
        png = shot_picture(shot_num, moment)
        writer.writerow((shot_num, moment, *map(round, (*span, *window)), png, session.name))
    return text.getvalue()


def _summary(
    logs: Sequence[Log],
    sessions: Sequence[Session],
    series: ShotSeries,
    min_shot_gap_ms: float,
    *,
    files: list[str],
) -> dict[str, Any]:
    """Return the totals over all logs and the summary of each log."""
    parts = [summarise(log, min_shot_gap_ms=min_shot_gap_ms) for log in logs]
    limits = [axes(log.samples) for log in logs]
    steps = np.concatenate([np.diff(session.recording.time_ms) for session in sessions])
    duration_s = round(sum(part["duration_s"] for part in parts), 3)
    return {
        "input_csv": logs[0].path if len(logs) == 1 else [log.path for log in logs],
        "samples": sum(part["samples"] for part in parts),
        "duration_s": duration_s,
        "duration_ms": round(1000 * duration_s),
        "sessions": [session.name for session in sessions],
        "timestamp_dt_ms": _steps(steps[steps > 0]),
        "saturated_samples": sum(int(((a == INT16_MIN) | (a == INT16_MAX)).any(axis=1).sum()) for a in limits),
        "trigger": {
            **{key: sum(part["shots"][key] for part in parts) for key in ("edges", "accepted", "rejected")},
            "min_shot_gap_ms": min_shot_gap_ms,
            "lead_ms": series.lead_ms,
            "window_ms": series.window_ms,
            "shot_pre_ms": series.pre_ms,
            "shot_post_ms": series.post_ms,
        },
        "marked": [f"{log.path}: {text}" for log in logs for text in log.marked_texts()],
        "logs": parts,
        "files": files,
    }


def _steps(steps: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, Any] | None:
    if not steps.size:
        return None
    lowest, p5, median, p95, highest = np.percentile(steps, (0, 5, 50, 95, 100)).tolist()
    return {"median": median, "p5": p5, "p95": p95, "min": lowest, "max": highest, "estimated_hz": 1000 / median}

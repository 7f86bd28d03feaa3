"""Writes the report of each retraining into a folder of its own, which appears complete or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final

from service.retraining.report_names import JSON_FILE, PAGE_FILE, PICTURE_FILE, REPORTS_FOLDER
from service.retraining.report_page import report_page, report_title
from service.retraining.report_values import report_values
from service.retraining.result import RetrainingResult
from stinger.files import make_folder, os_errors, replace_path, sync_folder, text_bytes, write_bytes
from stinger.recording_name import recording_stem

_UNFINISHED: Final = ".unfinished-"
_DPI: Final = 120


def write_report(result: RetrainingResult) -> Path:
    """Write the report below the data folder and return its folder. The caller holds the lock of retraining.

    Raises :class:`~stinger.errors.FileError`.
    """
    reports = result.config.data_dir / REPORTS_FOLDER
    make_folder(reports)
    with os_errors(reports):
        for entry in reports.glob(f"{_UNFINISHED}*"):  # left by a process that was killed
            shutil.rmtree(entry, ignore_errors=True)
    folder = reports / recording_stem(result.started.timestamp())
    unfinished = reports / f"{_UNFINISHED}{folder.name}"
    make_folder(unfinished)
    write_bytes(unfinished / JSON_FILE, (json.dumps(report_values(result), indent=2) + "\n").encode())
    write_bytes(unfinished / PAGE_FILE, text_bytes(report_page(result, picture=PICTURE_FILE)))
    if result.judged is not None:
        _draw(result, unfinished / PICTURE_FILE)
    with os_errors(folder):
        replace_path(unfinished, folder)
    sync_folder(reports)
    return folder


def _draw(result: RetrainingResult, path: Path) -> None:
    # Imported here as it loads matplotlib, which most retrainings do not need.
    from replay.evaluation.contest_picture import draw_contest  # noqa: PLC0415
    from service.retraining.rules import rules_of  # noqa: PLC0415

    judged = result.judged
    assert judged is not None
    budget = rules_of(result.config.retrain).budget
    draw_contest(judged.contest, judged.verdict, budget, path, title=report_title(result), dpi=_DPI)

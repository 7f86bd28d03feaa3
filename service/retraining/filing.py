"""Where reports of retraining are kept: a folder each, there whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Final

from service.recording.store import recording_stem
from service.retraining.page import report_page
from service.retraining.report import report_values
from service.retraining.result import Retraining
from stinger.files import make_folder, os_errors, sync_folder, write_bytes

REPORTS_FOLDER: Final = "reports"
JSON_FILE: Final = "retraining.json"
PAGE_FILE: Final = "retraining.md"
PICTURE_FILE: Final = "retraining.png"

_UNFINISHED: Final = ".unfinished-"
_DPI: Final = 120


def write_report(retraining: Retraining) -> Path:
    """Write the report below the data folder and return its folder. Only with the lock of retraining.

    Raises :class:`~stinger.errors.FileError`.
    """
    reports = retraining.config.data_dir / REPORTS_FOLDER
    make_folder(reports)
    with os_errors(reports):
        for entry in reports.glob(f"{_UNFINISHED}*"):  # of one that was killed
            shutil.rmtree(entry, ignore_errors=True)
    folder = reports / recording_stem(retraining.began.timestamp())
    aside = reports / f"{_UNFINISHED}{folder.name}"
    make_folder(aside)
    write_bytes(aside / JSON_FILE, (json.dumps(report_values(retraining), indent=2) + "\n").encode())
    write_bytes(aside / PAGE_FILE, report_page(retraining, picture=PICTURE_FILE).encode())
    if retraining.judged is not None:
        _draw(retraining, aside / PICTURE_FILE)
    with os_errors(folder):
        os.replace(aside, folder)
    sync_folder(reports)
    return folder


def _draw(retraining: Retraining, path: Path) -> None:

    from replay.evaluation.contest import Budget  # noqa: PLC0415
    from replay.evaluation.contest_picture import draw_contest  # noqa: PLC0415 - matplotlib, only when there is something to draw

    judged, settings = retraining.judged, retraining.config.retrain
    assert judged is not None
    title = f"Retraining of {retraining.began:%Y-%m-%d %H:%M} UTC: {retraining.outcome.value}"
    budget = Budget(settings.max_false_per_minute, settings.max_duty)
    draw_contest(judged.contest, judged.rival, budget, path, title=title, dpi=_DPI)

"""Write an evaluation to files: JSON, a Markdown page, and a picture of the trade-off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from replay.evaluation.file_names import JSON_FILE, MARKDOWN_FILE, PICTURE_FILE
from replay.evaluation.report import EvaluationReport, to_json, to_markdown
from stinger.files import make_folder, text_bytes, write_bytes

_MAX_NAMED_LOGS: Final = 3
"""Number of logs named in the title of the picture."""


def write_evaluation(report: EvaluationReport, folder: Path, *, dpi: float) -> tuple[Path, ...]:
    """Write the three files of ``report``, which has a sweep, to ``folder``, and return their paths.

    The folder is created if missing. Raises :class:`~stinger.errors.FileError`.
    """
    from replay.evaluation.sweep_picture import draw_sweep  # noqa: PLC0415 - matplotlib, only when a picture is wanted

    make_folder(folder)
    names = ", ".join(Path(file.path).name for file in report.data[:_MAX_NAMED_LOGS])
    if len(report.data) > _MAX_NAMED_LOGS:
        names += f" and {len(report.data) - _MAX_NAMED_LOGS} more"
    draw_sweep(report.rows, report.operating, folder / PICTURE_FILE, title=f"{report.subject} on {names}", dpi=dpi)
    write_bytes(folder / JSON_FILE, (json.dumps(to_json(report), indent=2) + "\n").encode())
    write_bytes(folder / MARKDOWN_FILE, text_bytes(to_markdown(report, picture=PICTURE_FILE)))
    return tuple(folder / name for name in (JSON_FILE, MARKDOWN_FILE, PICTURE_FILE))

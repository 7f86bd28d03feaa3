"""The names of the files that ``stinger explore`` writes, and those that an earlier run wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from models.dataset import INDEX_FILE, LABELS_FILE, META_FILE, WINDOWS_FILE
from stinger.files import read_bytes

SUMMARY_FILE: Final = "summary.json"
DATASET_PICTURE: Final = "dataset.png"
SHOTS_FOLDER: Final = "shots"
TRAIN_FOLDER: Final = "train"
SHOT_INDEX: Final = f"{SHOTS_FOLDER}/{INDEX_FILE}"
TRAIN_FILES: Final = tuple(f"{TRAIN_FOLDER}/{name}" for name in (META_FILE, WINDOWS_FILE, LABELS_FILE, INDEX_FILE))
"""``meta.json`` is first: without it a folder is not a training set, so one that is partly deleted is not mistaken for
one.
"""

_SHOT_PICTURE: Final = re.compile(rf"{SHOTS_FOLDER}/shot_\d{{3,}}_t\d+\.png")
_SUMMARY_MAX_BYTES: Final = 2**26


def shot_picture(shot_num: int, moment_ms: int) -> str:
    """Return the name of a shot's picture, relative to the folder of the exploration."""
    return f"{SHOTS_FOLDER}/shot_{shot_num:03d}_t{moment_ms}.png"


def is_shot_picture(name: str) -> bool:
    """Return whether ``name`` is one of :func:`shot_picture`."""
    return _SHOT_PICTURE.fullmatch(name) is not None


def earlier_files(outdir: Path) -> tuple[str, ...]:
    """Return the files in ``outdir`` that an earlier exploration wrote: those that its summary lists and that exist.

    None without such a summary, and none behind a symbolic link to another folder: other files belong to the user.
    """
    listed = _listed(outdir / SUMMARY_FILE)
    return tuple(
        name
        for name in listed
        if _is_ours(name) and (outdir / name).is_file() and not (outdir / name).parent.is_symlink()
    )


def _is_ours(name: str) -> bool:
    return name in {SUMMARY_FILE, DATASET_PICTURE, SHOT_INDEX, *TRAIN_FILES} or is_shot_picture(name)


def _listed(summary: Path) -> list[str]:
    if not summary.is_file():
        return []
    try:
        values: Any = json.loads(read_bytes(summary, at_most=_SUMMARY_MAX_BYTES))
    except (ValueError, RecursionError):
        return []
    names = values.get("files") if isinstance(values, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []

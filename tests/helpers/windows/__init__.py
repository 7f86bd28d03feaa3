"""Runs ``stinger`` in processes with the limits of Windows, on another system.

Limits of asyncio's event loops, of signals, sockets, files and their names, and of the modules ``os``, ``signal``, ``time``
and others, from the platform notes of Python's documentation. The program's own modules see ``sys.platform == "win32"``;
Python's library and other packages stay as they are. Start a process with :func:`environment`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tests.helpers.places import ROOT

FOLDER_VARIABLE: Final = "WINDOWS_LIMITS_FOLDER"
"""The environment variable with the folder in which the processes keep notes: who runs, and what was refused."""
REFUSALS: Final = "refusals.txt"


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a process with the limits of Windows; its children have them as well."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "site"), str(ROOT)]),
        "PYTHONIOENCODING": "cp1252",  # of a pipe; only a console has UTF-8
        "PYTHONWARNDEFAULTENCODING": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        FOLDER_VARIABLE: str(folder),
    }


def refusals(folder: Path) -> list[str]:
    """Return what Windows would have refused to the processes of ``folder``, a line each, whether they handled it or not."""
    path = folder / REFUSALS
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

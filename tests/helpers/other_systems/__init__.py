"""Runs ``stinger`` in processes with the limits of Windows or macOS, on Linux.

Limits of asyncio's event loops, of signals, sockets, files and their names, and of the modules ``os``, ``signal``,
``time`` and others, from the platform notes of Python's documentation. The program's own modules see another
``sys.platform``; Python's library and other packages stay as they are. Start a process with :func:`environment`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tests.helpers.places import ROOT

WINDOWS: Final = "win32"
MACOS: Final = "darwin"
SYSTEM_VARIABLE: Final = "OTHER_SYSTEM"
"""The environment variable with the system, as in ``sys.platform``."""
FOLDER_VARIABLE: Final = "OTHER_SYSTEM_FOLDER"
"""The environment variable with the folder in which the processes keep notes: who runs, and what was refused."""
REFUSALS: Final = "refusals.txt"


def environment(folder: Path, system: str = WINDOWS) -> dict[str, str]:
    """Return the environment of a process with the limits of ``system``; its children have them as well."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "site"), str(ROOT)]),
        # Of a pipe; only a console of Windows has UTF-8.
        "PYTHONIOENCODING": "cp1252" if system == WINDOWS else "utf-8",
        "PYTHONWARNDEFAULTENCODING": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        SYSTEM_VARIABLE: system,
        FOLDER_VARIABLE: str(folder),
    }


def refusals(folder: Path) -> list[str]:
    """Return what the system would have refused to the processes of ``folder``, a line each, handled by them or not."""
    path = folder / REFUSALS
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

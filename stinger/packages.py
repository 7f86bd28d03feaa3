"""The top-level packages of this program, and how to find out whether a foreign one was imported instead.

Others use the same names.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from stinger.errors import InputError

PACKAGES: Final = ("stinger", "models", "replay", "service", "hil")


def python_module(name: str, *arguments: str) -> list[str]:
    """Return the command line that runs the module ``name`` as a child process.

    ``-P`` keeps the current folder out of the child's import path. With ``-m`` alone it comes first, so that a file
    there that is called ``models.py`` would be imported in place of our package ``models``.
    """
    return [sys.executable, "-P", "-m", name, *arguments]


def install_command(extra: str = "") -> str:
    """Return the command that installs the packages of ``extra`` for this program; without one, those of its core.

    It names the Python that runs now: a plain ``pip`` may belong to another.
    """
    what = f'"stinger-ml[{extra}]"' if extra else "stinger-ml"  # quotes that every shell knows, also those of Windows
    return f"{sys.executable} -m pip install {what}"


def check_packages() -> None:
    """Raise :class:`InputError` unless all of :data:`PACKAGES` are found beside ``stinger``, in the same folder.

    Nothing is imported. A package that is not found at all is left to the import that needs it.
    """
    home = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            continue
        found = Path(spec.origin).resolve()
        if found.parent != home / name:
            raise InputError(
                f"'{name}' is imported from {found}, but stinger needs its own package of that name in {home}: "
                f"{_remedy(found)}"
            )


def _remedy(found: Path) -> str:
    start = sys.path[0] if sys.path else ""
    if not sys.flags.safe_path and Path(start).resolve() in found.parents:
        return "rename it, or use the command 'stinger' instead of 'python -m stinger'"
    return "remove the other package, or install stinger-ml in a virtual environment of its own"

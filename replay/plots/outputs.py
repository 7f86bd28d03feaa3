"""Protect inputs from being overwritten in an output folder, and delete outdated files there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from stinger.errors import FileError
from stinger.files import StrPath, os_errors


def remove(outdir: Path, names: Iterable[str]) -> None:
    """Delete the files ``names`` in ``outdir``, in that order, and then the folders that are empty.

    Raises :class:`FileError`.
    """
    folders = set()
    for name in names:
        path = outdir / name
        with os_errors(path):
            path.unlink(missing_ok=True)
        folders.add(path.parent)
    for folder in folders - {outdir}:
        with os_errors(folder):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def refuse_inputs(inputs: Sequence[StrPath], outdir: Path, names: Iterable[str]) -> None:
    """Raise :class:`FileError` for an input that is one of the files ``names`` in ``outdir``, by any path."""
    for name in names:
        target = outdir / name
        for path in inputs:
            with os_errors(target):
                if target.exists() and target.samefile(path):
                    raise FileError(path, f"would be overwritten or deleted, as {target}: choose another --outdir")

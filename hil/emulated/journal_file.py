"""A device's journal as a file: so that another process can know what the device did, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np

from hil.emulated.blaster import EmulatedBlaster
from hil.emulated.journal import ENTRY_DTYPE, REMEMBERED
from stinger.errors import FileError
from stinger.files import os_errors, read_bytes
from stinger.sample import SampleArray

KEEP_EVERY_S: Final = 1.0

_HELD_BACK: Final = REMEMBERED // 2
"""Entries that may still change, as a sample can be written late, are kept back: 82 s at 100 Hz."""


class JournalFile:
    """Appends the entries of ``blaster``'s journal to a new file, each once; nothing but entries is in it.

    Raises :class:`~stinger.errors.FileError` if the file cannot be made.
    """

    def __init__(self, path: Path, blaster: EmulatedBlaster) -> None:
        self._blaster = blaster
        self._next = 0
        with os_errors(path):
            self._file = path.open("wb", buffering=0)

    def keep(self, *, all_of_it: bool = False) -> None:
        """Append what will not change any more, or everything."""
        journal = self._blaster.journal
        end = journal.count if all_of_it else journal.count - _HELD_BACK
        if end <= self._next:
            return
        self._blaster.inference.catch_up()
        entries = journal.since(self._next)
        entries = entries[entries["number"] < end]
        self._file.write(entries.tobytes())
        self._next = end

    def close(self) -> None:
        """Append everything, and close."""
        try:
            self.keep(all_of_it=True)
        finally:
            self._file.close()


def journal_paths(path: Path, count: int) -> list[Path]:
    """The file of each of ``count`` devices: ``path`` of a single one, else ``path.0`` and so on."""
    return [path] if count == 1 else [path.with_name(f"{path.name}.{i}") for i in range(count)]


async def keep_journals(paths: Sequence[Path], blasters: Sequence[EmulatedBlaster]) -> None:
    """Keep the journal of each of ``blasters`` in its file until cancelled; then all of it is there."""
    with ExitStack() as stack:
        files = []
        for path, blaster in zip(paths, blasters, strict=True):
            files.append(JournalFile(path, blaster))
            stack.callback(files[-1].close)
        while True:
            await asyncio.sleep(KEEP_EVERY_S)
            for file in files:
                file.keep()


def read_journal(path: Path) -> SampleArray:
    """The entries ``(n,)`` of ENTRY_DTYPE in a file. Raises :class:`~stinger.errors.FileError` if it is none."""
    data = read_bytes(path)
    if len(data) % ENTRY_DTYPE.itemsize:
        raise FileError(path, f"is no whole number of journal entries of {ENTRY_DTYPE.itemsize} bytes")
    return np.frombuffer(data, dtype=ENTRY_DTYPE)

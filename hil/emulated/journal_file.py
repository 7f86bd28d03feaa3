"""Writes a device's journal to a file, for other processes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np

from hil.emulated.blaster import EmulatedBlaster
from hil.emulated.journal import CAPACITY, ENTRY_DTYPE
from stinger.errors import FileError
from stinger.files import os_errors, read_bytes
from stinger.sample import SampleArray

WRITE_INTERVAL_S: Final = 1.0

_UNWRITTEN_ENTRIES: Final = CAPACITY // 2
"""The latest entries, 82 s at 100 Hz, are not written yet: they still change if a fault delays a sample."""


class JournalFile:
    """Appends the entries of ``blaster``'s journal to a new file, each once, without any header.

    Raises :class:`~stinger.errors.FileError` if the file cannot be created.
    """

    def __init__(self, path: Path, blaster: EmulatedBlaster) -> None:
        self._blaster = blaster
        self._next = 0
        with os_errors(path):
            self._file = path.open("wb", buffering=0)

    def append(self, *, everything: bool = False) -> None:
        """Append the entries that no longer change, or ``everything``."""
        journal = self._blaster.journal
        end = journal.count if everything else journal.count - _UNWRITTEN_ENTRIES
        if end <= self._next:
            return
        self._blaster.inference.catch_up()
        entries = journal.since(self._next)
        entries = entries[entries["number"] < end]
        self._file.write(entries.tobytes())
        self._next = end

    def close(self) -> None:
        """Append the remaining entries, and close the file."""
        try:
            self.append(everything=True)
        finally:
            self._file.close()


def journal_paths(path: Path, count: int) -> list[Path]:
    """Return the file of each of ``count`` devices: ``path`` for a single one, else ``path.0``, ``path.1``, ..."""
    return [path] if count == 1 else [path.with_name(f"{path.name}.{i}") for i in range(count)]


async def write_journals(paths: Sequence[Path], blasters: Sequence[EmulatedBlaster]) -> None:
    """Write the journal of each of ``blasters`` to its file until cancelled, when all of it is written."""
    with ExitStack() as stack:
        files = []
        for path, blaster in zip(paths, blasters, strict=True):
            files.append(JournalFile(path, blaster))
            stack.callback(files[-1].close)
        while True:
            await asyncio.sleep(WRITE_INTERVAL_S)
            for file in files:
                file.append()


def read_journal(path: Path) -> SampleArray:
    """Return the entries ``(n,)`` of ENTRY_DTYPE in a file. Raises :class:`~stinger.errors.FileError`."""
    data = read_bytes(path)
    if len(data) % ENTRY_DTYPE.itemsize:
        raise FileError(path, f"not a journal: its length is not a multiple of {ENTRY_DTYPE.itemsize} bytes")
    return np.frombuffer(data, dtype=ENTRY_DTYPE)

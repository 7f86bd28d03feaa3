"""Writes a device's journal to a file, for other processes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from hil.emulated.journal import CAPACITY, ENTRY_DTYPE, Journal
from stinger.errors import FileError
from stinger.files import os_errors, read_bytes
from stinger.sample import SampleArray

WRITE_INTERVAL_S: Final = 1.0

_UNWRITTEN_ENTRIES: Final = CAPACITY // 2
"""The latest entries, 82 s at 100 Hz, are not written yet: they still change if a fault delays a sample."""


class JournalOwner(Protocol):
    """A device that keeps a journal."""

    @property
    def journal(self) -> Journal:
        """The journal."""

    def complete_journal(self) -> None:
        """Enter the scores that are still missing."""


class JournalFile:
    """Appends the entries of ``owner``'s journal to a new file, each once, without any header.

    Raises :class:`~stinger.errors.FileError` if the file cannot be created.
    """

    def __init__(self, path: Path, owner: JournalOwner) -> None:
        self._owner = owner
        self._next = 0
        with os_errors(path):
            self._file = path.open("wb", buffering=0)

    def append(self, *, everything: bool = False) -> None:
        """Append the entries that no longer change, or ``everything``."""
        journal = self._owner.journal
        end = journal.count if everything else journal.count - _UNWRITTEN_ENTRIES
        if end <= self._next:
            return
        self._owner.complete_journal()
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


async def write_journals(paths: Sequence[Path], owners: Sequence[JournalOwner]) -> None:
    """Write the journal of each of ``owners`` to its file until cancelled, when all of it is written."""
    with ExitStack() as stack:
        files = []
        for path, owner in zip(paths, owners, strict=True):
            files.append(JournalFile(path, owner))
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

"""The journal of the registry: a file with a line for each change, from which earlier champions are known."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from stinger.files import os_errors, read_bytes, regular_opener

CHAMPION_CHANGES: Final = ("promote", "rollback")
"""Actions that change the champion."""
_MAX_BYTES: Final = 64 * 2**20
"""A journal has a few hundred bytes for each change. A larger file is damaged, and would take long to read."""


class Journal:
    """The journal in the file ``path``, which need not exist. Only one process at a time may add to it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self) -> list[dict[str, Any]]:
        """Return every entry, oldest first, without lines that are damaged or that a crash left incomplete."""
        if not path_exists(self._path):
            return []
        entries = []
        for line in read_bytes(self._path, at_most=_MAX_BYTES).split(b"\n"):
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict):
                entries.append(entry)
        return entries

    def add(self, action: str, values: Mapping[str, Any]) -> None:
        """Append an entry for ``action``, in the file when this returns. Raises :class:`~stinger.errors.FileError`."""
        entry = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "action": action, **values}
        with os_errors(self._path), open(self._path, "ab+", opener=regular_opener) as file:
            # Ends a line that a crash left incomplete, so that the new line is separate.
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def promoted(self, current: str | None) -> list[str]:
        """Return the promoted versions that were not rolled back, which form a stack, the last one at its end.

        ``current`` is the champion, which shows whether the last change of the journal took place; if it is not the id
        of a version, the last change counts.
        """
        stack: list[str] = []
        changes = [
            entry
            for entry in self.entries()
            if entry.get("action") in CHAMPION_CHANGES and isinstance(entry.get("to"), str)
        ]
        readable = current is not None and any(current in (entry["to"], entry.get("from")) for entry in changes[-1:])
        for i, entry in enumerate(changes):
            before, to = entry.get("from"), entry["to"]
            after = changes[i + 1].get("from") if i + 1 < len(changes) else current if readable else to
            if after != to and i + 1 < len(changes) and after is None:
                after = to  # the file that names the champion was missing
            if after != to:
                continue  # the process was killed after the entry and before the change
            if not stack and isinstance(before, str):
                stack.append(before)
            if entry["action"] == "rollback" and len(stack) > 1:
                stack.pop()
            elif not stack or stack[-1] != to:
                stack.append(to)
        return stack

    def rolled_back(self) -> list[Any]:
        """Return the versions that were rolled back since the last promotion, the last one first."""
        rolled_back = []
        for entry in reversed(self.entries()):
            if entry.get("action") == "promote":
                break
            if entry.get("action") == "rollback":
                rolled_back.append(entry.get("from"))
        return rolled_back


def path_exists(path: Path) -> bool:
    """Return whether there is something at ``path``, also a link that leads nowhere.

    Raises :class:`~stinger.errors.FileError`.
    """
    with os_errors(path):
        try:
            path.stat()
        except FileNotFoundError:
            return os.path.lexists(path)
    return True

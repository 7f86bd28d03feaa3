"""Open file descriptors and running children of this process, read from Linux's /proc, to find what a test leaves behind."""

from __future__ import annotations

import gc
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PATIENCE_S: Final = 30.0

# The helper process of multiprocessing: Python starts it once and keeps it, and a pipe to it, until this process ends.
_RESOURCE_TRACKER: Final = "resource_tracker"

_DESCRIPTORS: Final = "/proc/self/fd"

SUPPORTED: Final = Path(_DESCRIPTORS).is_dir() and os.name == "posix"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What this process had open and running at one moment."""

    descriptors: dict[str, str]
    """What each open file descriptor refers to, by number."""
    children: dict[str, str]
    """The command line of each running child, by process id."""


def snapshot() -> Snapshot:
    """Return what is open and running now."""
    return Snapshot(_descriptors(), _children())


def new_leaks(before: Snapshot) -> list[str]:
    """Return a line for each descriptor and child that is not in ``before``; wait up to 30 s for them to go away."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        leaks = _difference(before, snapshot())
        if not leaks or time.monotonic() > deadline:
            return leaks
        gc.collect()
        time.sleep(0.02)


def _difference(before: Snapshot, now: Snapshot) -> list[str]:
    running = {pid: command for pid, command in now.children.items() if _RESOURCE_TRACKER not in command}
    leaks = [f"process {pid}: {command}" for pid, command in running.items() if pid not in before.children]
    pipes_allowed = len(running) < len(now.children)  # the resource tracker's
    for number, target in now.descriptors.items():
        if before.descriptors.get(number) != target and not (pipes_allowed and target.startswith("pipe:")):
            leaks.append(f"file descriptor {number}: {target}")
    return leaks


def _descriptors() -> dict[str, str]:
    found = {}
    for number in os.listdir(_DESCRIPTORS):  # noqa: PTH208 - pathlib takes twice as long, twice in each test
        try:
            found[number] = os.readlink(f"{_DESCRIPTORS}/{number}")  # noqa: PTH115
        except FileNotFoundError:  # the descriptor of this very listing
            continue
    return found


def _children() -> dict[str, str]:
    found = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            pids = (task / "children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            continue
        for pid in pids:
            try:
                found[pid] = Path("/proc", pid, "cmdline").read_text().replace("\0", " ")
            except (FileNotFoundError, ProcessLookupError):  # a child that has just ended
                continue
    return found

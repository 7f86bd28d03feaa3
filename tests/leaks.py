"""What a test must not leave behind: open file descriptors and running children. Linux only, where /proc tells."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

_PATIENCE_S = 5.0
# Python's own helper of multiprocessing: started once, it serves the whole process and ends with it.
_ALLOWED = "resource_tracker"


def descriptors() -> dict[str, str]:
    """The open descriptors and what they are."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[entry.name] = str(entry.readlink())
        except FileNotFoundError:  # the one that lists the folder
            continue
    return found


def children() -> dict[str, str]:
    """The running children and their command lines."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            pids = (task / "children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            continue
        for pid in pids:
            try:
                found[pid] = Path("/proc", pid, "cmdline").read_text().replace("\0", " ")
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def new_leaks(before: tuple[dict[str, str], dict[str, str]]) -> list[str]:
    """What is there that was not ``before``; waits a little for what is just ending."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        leaks = _difference(before)
        if not leaks or time.monotonic() > deadline:
            return leaks
        gc.collect()
        time.sleep(0.02)


def _difference(before: tuple[dict[str, str], dict[str, str]]) -> list[str]:
    old_descriptors, old_children = before
    running = {pid: command for pid, command in children().items() if _ALLOWED not in command}
    leaks = [f"process {pid}: {command}" for pid, command in running.items() if pid not in old_children]
    allowed_pipes = len(running) < len(children())  # the helper is held by a pipe
    for number, target in descriptors().items():
        if old_descriptors.get(number) != target and not (allowed_pipes and target.startswith("pipe:")):
            leaks.append(f"file descriptor {number}: {target}")
    return leaks


SUPPORTED = Path("/proc/self/fd").is_dir() and os.name == "posix"

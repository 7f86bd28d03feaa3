"""A daemon of a test's own, as a process of its own."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.cli import STINGER

PATIENCE_S = 20.0


@dataclass
class DaemonProcess:
    """``stinger run`` at work; what it says on stderr is in ``log``."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern: str) -> re.Match[str]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = re.search(pattern, self.said())
            if found is not None:
                return found
            assert self.process.poll() is None or re.search(pattern, self.said()), self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)

    def port(self) -> int:
        return int(self.wait_for(r"ready: broker mqtt://127\.0\.0\.1:(\d+)")[1])

    def end(self) -> int:
        return self.process.wait(PATIENCE_S)


@contextmanager
def daemon(folder: Path, *arguments: str, name: str = "daemon") -> Iterator[DaemonProcess]:
    """``stinger run`` with its data in ``folder / "data"``; killed at the end if it still runs."""
    log = folder / f"{name}.log"
    command = [*STINGER, "run", "--data-dir", str(folder / "data"), *arguments]
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        yield DaemonProcess(process, log)
    finally:
        process.kill()
        process.wait(PATIENCE_S)

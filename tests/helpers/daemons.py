"""Run ``stinger run`` as a process for a test, and read its log."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.cli import STINGER
from tests.helpers.patience import PATIENCE_S


@dataclass
class DaemonProcess:
    """A running ``stinger run``, whose standard error goes to the file ``log``."""

    process: subprocess.Popen[bytes]
    log: Path

    def log_text(self) -> str:
        """Return what the daemon has logged so far."""
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until ``pattern`` is in the log and return the match; fail after :data:`PATIENCE_S`, or when the daemon has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = re.search(pattern, self.log_text())
            if found is not None:
                return found
            assert self.process.poll() is None or re.search(pattern, self.log_text()), self.log_text()
            assert time.monotonic() < deadline, self.log_text()
            time.sleep(0.02)

    def port(self) -> int:
        """Wait until the daemon is ready and return the port of its broker."""
        return int(self.wait_for(r"ready: broker mqtt://127\.0\.0\.1:(\d+)")[1])

    def end(self) -> int:
        """Wait until the daemon ends by itself and return its exit code; fail after :data:`PATIENCE_S`."""
        return self.process.wait(PATIENCE_S)


@contextmanager
def daemon(
    folder: Path, *arguments: str, name: str = "daemon", program: Sequence[str] = STINGER
) -> Iterator[DaemonProcess]:
    """Run ``stinger run`` with its data in ``folder / "data"``; on exit, kill it if it still runs.

    ``program`` is the command that stands for ``stinger``.
    """
    log = folder / f"{name}.log"
    command = [*program, "run", "--data-dir", str(folder / "data"), *arguments]
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        yield DaemonProcess(process, log)
    finally:
        process.kill()
        process.wait(PATIENCE_S)

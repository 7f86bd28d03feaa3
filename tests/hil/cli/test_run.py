"""``stinger hil run`` as a process: signals stop it and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import leaks
from tests.helpers.cli import STINGER, invoke
from tests.helpers.patience import PATIENCE_S

pytestmark = pytest.mark.skipif(not leaks.SUPPORTED, reason="it searches processes in /proc")


@contextmanager
def bench(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the bench with its temporary files in ``folder``; it is killed at the end if it is still running."""
    command = [*STINGER, "hil", "run", *arguments]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def processes_using(folder: Path) -> list[str]:
    """Return the command lines of running processes that contain ``folder``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_text(errors="replace").replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if str(folder) in command:
            found.append(command)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_leaves_no_process_and_no_file(tmp_path: Path, number: signal.Signals) -> None:
    with bench(tmp_path, "steady", "--broker", "embedded") as process:
        deadline = time.monotonic() + PATIENCE_S
        while not any(" emulate " in command for command in processes_using(tmp_path)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(number)
        errors = process.communicate(timeout=PATIENCE_S)[1]
    assert (process.returncode, errors.strip()) == (1, "Aborted!")
    assert processes_using(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "complaint"),
    [("", "--daemon: expected a command, such as 'stinger run'"), ("'stinger run", "No closing quotation")],
)
def test_invalid_command_of_the_daemon_is_reported_in_one_line(command: str, complaint: str) -> None:
    result = invoke("hil", "run", "steady", "--daemon", command)
    assert result.exit_code == 2
    assert complaint in result.output
    assert result.output.count("\n") == 1

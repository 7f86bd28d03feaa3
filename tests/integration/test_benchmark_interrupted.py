"""Ctrl-C while ``stinger benchmark`` fits models, as a process in a terminal of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.helpers.cli import STINGER
from tests.helpers.patience import PATIENCE_S
from tests.models.datasets import make_dataset, write_train_dir

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")


def read_until(terminal: int, pattern: str) -> None:
    """Read what ``terminal`` shows until ``pattern`` is in it; fail after a minute, or when the process has ended."""
    deadline = time.monotonic() + PATIENCE_S
    shown = ""
    while re.search(pattern, shown) is None:
        assert time.monotonic() < deadline, shown
        try:
            shown += os.read(terminal, 4096).decode(errors="replace")
        except OSError as error:  # Linux raises EIO when the process has closed its side
            raise AssertionError(shown) from error


@pytest.mark.parametrize("jobs", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_ctrl_c_writes_the_finished_fits_and_ends_every_worker(tmp_path: Path, jobs: str) -> None:
    folder = write_train_dir(tmp_path / "train", make_dataset(shots=60))
    report = tmp_path / "report.md"
    command = [*STINGER, "benchmark", "--train-dir", str(folder), "--out", str(report)]
    terminal, side = pty.openpty()
    with os.fdopen(terminal, "rb"):
        process = subprocess.Popen(
            [*command, "--seeds", "20", "--jobs", jobs], stdin=side, stdout=side, stderr=side, start_new_session=True
        )
        os.close(side)
        try:
            read_until(terminal, r"fits .* +[1-9]\d*% +\d\d:\d\d:\d\d")  # the progress bar, with the time left
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
            read_until(terminal, r"Interrupted: .* contains the \d+ of [\d,]+ fits that were finished")
            assert process.wait(PATIENCE_S) == 130
            with pytest.raises(ProcessLookupError):
                os.killpg(process.pid, 0)
        finally:
            process.kill()
            process.wait(PATIENCE_S)
    text = report.read_text(encoding="utf-8")
    finished = re.search(r"\*\*Interrupted\*\*: (\d+) of \d+ fits were finished", text)
    assert finished is not None
    assert int(finished[1]) >= 1
    assert "| rf | rich | " in text
    assert [path.name for path in tmp_path.iterdir() if path != folder] == ["report.md"]

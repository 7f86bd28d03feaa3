"""Pictures drawn by several processes: progress, and an interrupt from the keyboard."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from replay.plots.drawing import draw_excerpts
from replay.plots.excerpt import Excerpt
from replay.plots.excerpt_picture import ExcerptLook
from stinger.errors import FileError
from stinger.logs import write_log
from tests.helpers.cli import STINGER
from tests.helpers.synthetic import synthetic_samples

LOOK = ExcerptLook(dpi=40, from_s=-1, to_s=0.2, window_s=(-0.6, -0.1), moment="shot")


def nothing(title: str) -> Excerpt:
    none = np.empty(0)
    return Excerpt(title, none, np.empty((0, 6)), none, np.empty((0, 0)), none, none)


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay.plots.drawing._WORTH_A_PROCESS", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)


@pytest.mark.usefixtures("two_processes")
def test_progress_is_told_of_each_picture_when_it_is_there(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    jobs = [(nothing(str(i)), tmp_path / f"{i}.png") for i in range(6)]
    draw_excerpts([(LOOK, jobs)], progress=lambda n: told.append((n, len(list(tmp_path.iterdir())))))
    assert told == [(1, count) for count in range(1, 7)]


@pytest.mark.usefixtures("two_processes")
def test_picture_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    jobs = [(nothing(str(i)), tmp_path / "nowhere" / f"{i}.png") for i in range(4)]
    with pytest.raises(FileError, match="nowhere"):
        draw_excerpts([(LOOK, jobs)])


@pytest.mark.skipif(sys.platform == "win32", reason="process groups and SIGINT as a terminal sends it")
def test_interrupt_from_the_keyboard_ends_all_drawing_at_once(tmp_path: Path) -> None:
    write_log(tmp_path / "log.bin", synthetic_samples(60_000, 300))
    with subprocess.Popen(
        [*STINGER, "explore", "log.bin", "--dpi", "200", "--min-shot-gap-ms", "0"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        shots = tmp_path / "ml_out" / "shots"
        deadline = time.monotonic() + 60
        while len(list(shots.glob("shot_*.png"))) < 3:
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        # As a terminal does: to every process of the group.
        os.killpg(process.pid, signal.SIGINT)
        _, complaints = process.communicate(timeout=10)
    drawn = sorted(shots.iterdir())
    assert process.returncode != 0
    assert "Traceback" not in complaints
    assert len(drawn) < 200
    assert not [path for path in drawn if path.name.startswith(".")]
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert sorted(shots.iterdir()) == drawn

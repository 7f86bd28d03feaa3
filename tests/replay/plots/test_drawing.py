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
from replay.plots.excerpt import Excerpt, excerpt
from replay.plots.excerpt_picture import ExcerptLook
from stinger.errors import FileError
from stinger.logs import write_log
from stinger.recording import split_recordings
from stinger.shots import find_shots
from tests.helpers.cli import STINGER
from tests.helpers.patience import PATIENCE_S
from tests.helpers.synthetic import synthetic_samples

LOOK = ExcerptLook(dpi=40, from_s=-1, to_s=0.2, window_s=(-0.6, -0.1), moment="shot")


def nothing(title: str) -> Excerpt:
    none = np.empty(0)
    return Excerpt(title, none, np.empty((0, 6)), none, np.empty((0, 0)), none, none)


def test_progress_is_called_after_each_picture_is_written(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    jobs = [(nothing(str(i)), tmp_path / f"{i}.png") for i in range(6)]
    draw_excerpts([(LOOK, jobs)], processes=2, progress=lambda n: steps.append((n, len(list(tmp_path.iterdir())))))
    assert steps == [(1, count) for count in range(1, 7)]


def test_pictures_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    (recording,) = split_recordings(synthetic_samples(3000, 8))
    shots = find_shots(recording)
    for processes in (1, 2):
        (tmp_path / str(processes)).mkdir()
        jobs = [
            (
                excerpt(recording, shots, moment, title=f"shot at {moment}", pre_ms=1000, post_ms=200),
                tmp_path / str(processes) / f"{moment}.png",
            )
            for moment in shots.time_ms[:4].tolist()
        ]
        draw_excerpts([(LOOK, jobs)], processes=processes)
    pictures = list((tmp_path / "1").iterdir())
    assert len(pictures) == 4
    for picture in pictures:
        assert picture.read_bytes() == (tmp_path / "2" / picture.name).read_bytes()


def test_picture_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    jobs = [(nothing(str(i)), tmp_path / "nowhere" / f"{i}.png") for i in range(4)]
    with pytest.raises(FileError, match="nowhere"):
        draw_excerpts([(LOOK, jobs)], processes=2)


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
        deadline = time.monotonic() + PATIENCE_S
        while len(list(shots.glob("shot_*.png"))) < 3:
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        # As a terminal does: to every process of the group.
        os.killpg(process.pid, signal.SIGINT)
        _, complaints = process.communicate(timeout=PATIENCE_S)
    drawn = sorted(shots.iterdir())
    assert process.returncode != 0
    assert "Traceback" not in complaints
    assert len(drawn) < 200
    assert not [path for path in drawn if path.name.startswith(".")]
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert sorted(shots.iterdir()) == drawn

"""Sessions: one for each boot, each with a name of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.sessions import open_sessions
from stinger.errors import FileError
from stinger.logs import read_log, write_log
from tests.helpers.synthetic import synthetic_samples


def test_further_boots_in_a_file_are_numbered(tmp_path: Path) -> None:
    one = synthetic_samples(500, 2, seed=1)
    write_log(tmp_path / "log.bin", np.concatenate((one, one, one)))
    sessions = open_sessions([read_log(tmp_path / "log.bin")])
    assert [session.name for session in sessions] == ["log", "log#2", "log#3"]


def test_files_of_one_name_are_distinguished_by_their_folder(tmp_path: Path) -> None:
    logs = []
    for seed, folder in enumerate(("monday", "tuesday")):
        (tmp_path / folder).mkdir()
        write_log(tmp_path / folder / "ml_log.bin", synthetic_samples(500, 2, seed=seed))
        logs.append(read_log(tmp_path / folder / "ml_log.bin"))
    assert [session.name for session in open_sessions(logs)] == ["monday/ml_log", "tuesday/ml_log"]


def test_names_stay_unique_whatever_files_are_called(tmp_path: Path) -> None:
    write_log(tmp_path / "a.bin", np.concatenate([synthetic_samples(500, 2)] * 2))
    write_log(tmp_path / "a#2.bin", synthetic_samples(500, 2, seed=5))
    sessions = open_sessions([read_log(tmp_path / name) for name in ("a.bin", "a#2.bin")])
    assert [session.name for session in sessions] == ["a", "a#2", "a#2~2"]


def test_shots_are_counted_through_all_sessions(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_log(tmp_path / f"{seed}.bin", synthetic_samples(3000, 8, seed=seed, bursts=3))
    first, second = open_sessions([read_log(tmp_path / f"{seed}.bin") for seed in (1, 2)])
    assert first.first_shot_num == 0
    assert second.first_shot_num == first.accepted_shots == 8


def test_file_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    write_log(tmp_path / "a.bin", synthetic_samples(500, 2))
    with pytest.raises(FileError, match=r"a.bin: is given twice, with the same content: give each log once"):
        open_sessions([read_log(tmp_path / "a.bin")] * 2)

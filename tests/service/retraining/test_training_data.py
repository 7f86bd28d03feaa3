from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.task_runner import no_progress_bar
from service.retraining.training_data import TrainingData, read_training_data
from stinger.errors import FileError
from stinger.logs import read_log, write_log
from stinger.logs.marked import sidecar_path
from tests.helpers.retraining import keep_recording
from tests.helpers.samples import samples_at
from tests.helpers.synthetic import synthetic_samples


def gathered(data_dir: Path, *logs: Path, max_hours: float = 24) -> TrainingData:
    return read_training_data(
        data_dir, [str(path) for path in logs], max_hours=max_hours, min_shot_gap_ms=1000, bar=no_progress_bar
    )


def names(found: TrainingData) -> list[str]:
    return [session.name for session in found.sessions]


def test_recordings_of_all_devices_are_read_oldest_first(tmp_path: Path) -> None:
    keep_recording(tmp_path, synthetic_samples(1000, 3, seed=1), device="b2", hours=1)
    path = keep_recording(tmp_path, synthetic_samples(1000, 3, seed=2), device="b1", hours=2)
    keep_recording(tmp_path, synthetic_samples(1000, 3, seed=3), device="b1")
    found = gathered(tmp_path)
    assert names(found) == ["b1 2026-01-01 12:00:00", "b2 2026-01-01 13:00:00", "b1 2026-01-01 14:00:00"]
    assert found.warnings == ()
    assert found.items[2].path == "recordings/b1/20260101T140000.000Z.bin"
    assert found.items[2].sha256 == read_log(path).sha256


def test_recording_that_is_still_being_written_is_read_up_to_its_last_whole_sample(tmp_path: Path) -> None:
    path = keep_recording(tmp_path, synthetic_samples(1000, 3), closed=False)
    with path.open("ab") as file:
        file.write(b"torn")
    found = gathered(tmp_path)
    assert [len(session.recording) for session in found.sessions] == [1000]
    assert found.warnings[0] == "still being written, so read up to its present end: 1 recording"
    assert "ignored 4 trailing bytes" in found.warnings[1]


def test_recording_shorter_than_a_window_is_ignored(tmp_path: Path) -> None:
    keep_recording(tmp_path, synthetic_samples(1000, 3)[:49], closed=False)
    found = gathered(tmp_path)
    assert (found.items, found.warnings) == ((), ())


def test_given_log_is_read_wherever_it_is(tmp_path: Path) -> None:
    write_log(tmp_path / "pulled.csv", synthetic_samples(1000, 3))
    found = gathered(tmp_path / "data", tmp_path / "pulled.csv")
    assert names(found) == ["pulled"]
    assert found.items[0].path == str(tmp_path / "pulled.csv")


def test_recording_that_is_also_given_is_used_once(tmp_path: Path) -> None:
    path = keep_recording(tmp_path, synthetic_samples(1000, 3))
    assert names(gathered(tmp_path, path)) == ["b1 2026-01-01 12:00:00"]


def test_longer_copy_of_a_log_that_was_pulled_twice_is_used(tmp_path: Path) -> None:
    whole = synthetic_samples(3000, 8)
    later_boot = synthetic_samples(1000, 3, seed=9)
    write_log(tmp_path / "monday.bin", whole[:2000])
    write_log(tmp_path / "tuesday.bin", np.concatenate((whole, later_boot)))
    for paths in (("monday.bin", "tuesday.bin"), ("tuesday.bin", "monday.bin")):
        found = gathered(tmp_path, *(tmp_path / path for path in paths))
        assert sorted(names(found)) == ["tuesday", "tuesday#2"]
        assert found.warnings == ("left out: monday: its samples (20.0 s) are also in tuesday",)


def test_log_of_the_same_time_as_a_recording_is_used_once_whatever_its_clock(tmp_path: Path) -> None:
    whole = synthetic_samples(6000, 15)
    live = whole[1000:4000].copy()
    live["timestamp_ms"] += 123_456
    keep_recording(tmp_path, live)
    write_log(tmp_path / "pulled.csv", whole[:3000])
    found = gathered(tmp_path, tmp_path / "pulled.csv")
    assert found.warnings == ("pulled: 20.0 s of its 30.0 s are also in b1 2026-01-01 12:00:00, and are used once",)
    assert [len(session.recording) for session in found.sessions] == [3000, 900]


def test_damaged_recording_is_left_out_with_a_warning(tmp_path: Path) -> None:
    keep_recording(tmp_path, synthetic_samples(1000, 3, seed=1))
    keep_recording(tmp_path, synthetic_samples(1000, 3, seed=2), hours=1).write_bytes(b"\xff" * 1700)
    found = gathered(tmp_path)
    assert names(found) == ["b1 2026-01-01 12:00:00"]
    (warning,) = found.warnings
    assert "the trigger is 255" in warning


@pytest.mark.parametrize("sidecar", ["{", '{"schema": 2}', None])
def test_recording_needs_no_sidecar(tmp_path: Path, sidecar: str | None) -> None:
    path = sidecar_path(keep_recording(tmp_path, synthetic_samples(1000, 3)))
    path.unlink()
    if sidecar is not None:
        path.write_text(sidecar)
    found = gathered(tmp_path)
    assert names(found) == ["b1 2026-01-01 12:00:00"]
    damaged = f"{path}: is not JSON, so what is left out of the log beside it is not known: repair, rename or delete it"
    assert found.warnings == ((f"{damaged}. Until then, all of this recording is used.",) if sidecar == "{" else ())


def test_damaged_given_log_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.bin").write_bytes(b"\xff" * 170)
    with pytest.raises(FileError, match=r"broken\.bin"):
        gathered(tmp_path, tmp_path / "broken.bin")


def test_recordings_beyond_the_hours_are_left_out_oldest_first(tmp_path: Path) -> None:
    for hours in range(3):
        keep_recording(tmp_path, synthetic_samples(3600, 3, seed=hours), hours=hours)  # 36 s each
    found = gathered(tmp_path, max_hours=0.02)
    assert names(found) == ["b1 2026-01-01 13:00:00", "b1 2026-01-01 14:00:00"]
    assert found.warnings == ("left out: 1 recording, the oldest, beyond 0.02 hours",)


def test_recording_of_another_rate_or_without_time_is_left_out(tmp_path: Path) -> None:
    keep_recording(tmp_path, samples_at(np.arange(500) * 20), device="slow")
    keep_recording(tmp_path, samples_at(np.full(500, 7)), device="stuck")
    found = gathered(tmp_path)
    assert names(found) == []
    assert any("it has 50 samples a second; models take 100" in warning for warning in found.warnings)
    assert any("its time does not advance" in warning for warning in found.warnings)


def test_data_folder_without_recordings_is_empty_and_no_error(tmp_path: Path) -> None:
    found = gathered(tmp_path / "none")
    assert (found.items, found.warnings) == ((), ())

"""Recordings in the data folder, as the page lists, counts, scores, adds and deletes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.registry import Registry
from service.recording.marking import change_marks
from service.web.score_history import POINT
from service.web.scored_recording import score_stored
from service.web.stored_recordings import add_upload, delete_recording, find_recording, usable_shots
from stinger.device_name import DeviceName
from stinger.errors import InputError
from tests.helpers.recordings import NOW_S, write_recording
from tests.helpers.synthetic import synthetic_samples

SAMPLES = synthetic_samples(6_000, 6)


def test_shots_are_counted_without_those_that_are_left_out_or_marked(tmp_path: Path) -> None:
    path = write_recording(tmp_path, "b1", NOW_S, SAMPLES)
    assert usable_shots(path) == 6
    [first, second] = [shot.time_ms for shot in score_stored(path, Registry(tmp_path / "r"), "factory").shots[:2]]
    change_marks(path, 0, lambda marks: marks.leave_out(0, int(first)))
    assert usable_shots(path) == 5
    change_marks(path, 0, lambda marks: marks.mark_not_shot(int(second)))
    assert usable_shots(path) == 4


def test_a_recording_that_is_being_written_is_not_deleted(tmp_path: Path) -> None:
    path = write_recording(tmp_path, "b1", NOW_S, SAMPLES, closed=False)
    with pytest.raises(InputError, match="still being written"):
        delete_recording(tmp_path, "b1", path.stem)
    assert path.exists()


def test_a_log_of_two_boots_becomes_two_recordings(tmp_path: Path) -> None:
    kept = add_upload(tmp_path / "recordings", DeviceName("b1"), "two.bin", SAMPLES.tobytes() * 2)
    assert [path.read_bytes() for path in kept] == [SAMPLES.tobytes()] * 2
    assert find_recording(tmp_path / "recordings", "b1", kept[1].stem) == kept[1]


def test_shots_and_wheels_are_those_of_the_decision(tmp_path: Path) -> None:
    path = write_recording(tmp_path, "b1", NOW_S, SAMPLES)
    scored = score_stored(path, Registry(tmp_path / "registry"), "factory")
    assert scored.count == 6_000
    assert len(scored.shots) == 6
    on = False
    for mark in scored.marks:
        if mark.kind in ("on", "off"):
            assert (mark.kind == "on") is not on
            on = mark.kind == "on"
        elif mark.kind == "in time":
            assert on
            assert mark.lead_ms is not None
            assert mark.lead_ms >= 100


def test_a_model_that_is_a_path_is_refused(tmp_path: Path) -> None:
    path = write_recording(tmp_path, "b1", NOW_S, SAMPLES)
    with pytest.raises(InputError, match="no model of that name"):
        score_stored(path, Registry(tmp_path / "registry"), str(path))


def test_the_parts_of_a_recording_together_are_all_of_it(tmp_path: Path) -> None:
    path = write_recording(tmp_path, "b1", NOW_S, SAMPLES)
    registry = Registry(tmp_path / "registry")
    whole = score_stored(path, registry, "factory")
    parts = [score_stored(path, registry, "factory", part=number, part_samples=2500) for number in range(3)]
    assert b"".join(part.samples for part in parts) == whole.samples
    assert [one.text for one in parts[0].parts] == ["0:00:00 to 0:00:24", "0:00:25 to 0:00:49", "0:00:50 to 0:00:59"]
    assert sorted(shot.time_ms for part in parts for shot in part.shots) == [shot.time_ms for shot in whole.shots]
    scores = np.concatenate([np.frombuffer(part.scores, POINT) for part in parts])
    np.testing.assert_allclose(scores["envelope"], np.frombuffer(whole.scores, POINT)["envelope"], atol=1e-5)
    with pytest.raises(InputError, match="no part 4"):
        score_stored(path, registry, "factory", part=3, part_samples=2500)


def test_an_upload_does_not_follow_a_link_out_of_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "left").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="leads out of the data folder"):
        add_upload(tmp_path / "recordings", DeviceName("left"), "x.bin", SAMPLES.tobytes())
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_recording_that_is_a_link_to_another_file_is_not_found(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "recordings", "b1", NOW_S, SAMPLES)
    path.rename(tmp_path / "elsewhere.bin")
    path.symlink_to(tmp_path / "elsewhere.bin")
    with pytest.raises(InputError, match="no such recording"):
        find_recording(tmp_path / "recordings", "b1", path.stem)

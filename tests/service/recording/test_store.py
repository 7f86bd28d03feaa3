from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.recording.recovery import recover
from service.recording.sidecar import EndReason, Sidecar, read_sidecar
from service.recording.store import list_files, read_store
from stinger.files import write_bytes
from stinger.logs.marked import sidecar_path
from stinger.recording_name import stem_time
from tests.helpers.places import ROOT
from tests.helpers.recordings import write_old_recording


def test_every_kind_of_file_is_listed_and_others_are_ignored(tmp_path: Path) -> None:
    recording = write_old_recording(tmp_path, "a", 1)
    unfinished = recording.with_name(f".{recording.stem}.json.0a1b2c3d.tmp")
    for path in (unfinished, recording.with_name("mine.bin"), recording.with_name("mine.json"), tmp_path / "x.bin"):
        path.write_bytes(b"")
    found = list_files(tmp_path)
    assert (found.recordings, found.sidecars) == ((recording,), (sidecar_path(recording),))
    assert (found.unfinished_sidecars, found.problems) == ((unfinished,), ())


def test_file_that_cannot_be_examined_is_one_problem_and_the_others_are_read(tmp_path: Path) -> None:
    good = write_old_recording(tmp_path, "a", 1)
    loop = good.with_name("20260131T170203.456Z.bin")
    loop.symlink_to(loop)
    found = read_store(tmp_path)
    assert [recording.path for recording in found.recordings] == [good]
    (problem,) = found.problems
    assert problem.startswith(str(loop))


def test_file_in_place_of_the_folder_is_one_problem_or_none(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_bytes(b"")
    assert read_store(tmp_path / "recordings").recordings == ()
    assert recover(tmp_path / "recordings").closed == 0


def test_sidecar_names_the_device_where_names_share_a_folder(tmp_path: Path) -> None:
    path = write_old_recording(tmp_path, "left", 1)
    sidecar_path(path).write_bytes(Sidecar(device="LEFT", started="").to_json())
    assert [recording.device for recording in read_store(tmp_path).recordings] == ["LEFT"]


def test_name_that_is_digits_but_not_a_time_is_a_problem_of_recovery(tmp_path: Path) -> None:
    path = tmp_path / "d" / "20261331T170203.456Z.bin"
    path.parent.mkdir()
    path.write_bytes(b"torn")
    recovery = recover(tmp_path)
    assert (recovery.closed, recovery.removed, len(recovery.problems)) == (0, 0, 1)
    assert path.exists()


@pytest.mark.parametrize(
    ("stem", "time"),
    [
        ("20260131T170203.456Z", datetime(2026, 1, 31, 17, 2, 3, 456_000, tzinfo=UTC)),
        ("20260131T170203.456Z_002", datetime(2026, 1, 31, 17, 2, 3, 456_000, tzinfo=UTC)),
        ("20261331T170203.456Z", None),
        ("mine", None),
    ],
)
def test_time_of_a_recording_is_in_its_name(stem: str, time: datetime | None) -> None:
    assert stem_time(stem) == time


def test_unknown_end_reason_of_a_newer_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_bytes(path, Sidecar(device="d", started="", closed=True, end="eaten").to_json())
    assert read_sidecar(path).end == "eaten"


def test_documentation_lists_every_end_reason() -> None:
    text = (ROOT / "docs" / "looking-after-it.md").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("| `closed`, `end` |")]
    assert set(re.findall(r"`([^`]+)`", line)) - {"closed", "end"} == {reason.value for reason in EndReason}

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import Result

from models.factory import factory_model
from models.registry import Registry
from tests.helpers.cli import invoke
from tests.helpers.recordings import DAY_S, write_old_recording


def recordings(*arguments: str | Path) -> Result:
    return invoke("recordings", *arguments)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with recordings of 60, 40 and 1 days ago."""
    for days in (60, 40, 1):
        path = write_old_recording(tmp_path / "recordings", "a", days)
        ended_s = time.time() - days * DAY_S
        os.utime(path, (ended_s, ended_s))
    return tmp_path


def left(data: Path) -> int:
    return len(list((data / "recordings").rglob("*.bin")))


def test_dry_run_prints_what_the_real_run_then_deletes(data: Path) -> None:
    tried = recordings("prune", "--data-dir", data, "--keep", "30d", "--dry-run")
    assert (tried.exit_code, left(data)) == (0, 3)
    assert tried.output.count("would delete ") == 2
    done = recordings("prune", "--data-dir", data, "--keep", "30d")
    assert (done.exit_code, left(data)) == (0, 1)
    assert done.output == tried.output.replace("would delete", "deleted").replace("would be deleted", "deleted")


def test_clock_far_ahead_of_the_newest_recording_deletes_only_on_request(data: Path) -> None:
    for path in (data / "recordings").rglob("*.bin"):
        os.utime(path, (path.stat().st_mtime - 365 * DAY_S,) * 2)
    arguments = ("prune", "--data-dir", data, "--keep", "30d")
    held = recordings(*arguments)
    assert (held.exit_code, left(data)) == (2, 3)
    assert "the clock is 366.0 days ahead of the last time that was trusted" in held.output
    assert "would delete" in recordings(*arguments, "--dry-run", "--trust-clock").output
    assert recordings(*arguments).exit_code == 2
    assert recordings(*arguments, "--trust-clock").exit_code == 0
    assert left(data) == 1
    assert recordings(*arguments).exit_code == 0


def test_limits_come_from_the_daemons_configuration(data: Path) -> None:
    config = data / "stinger.toml"
    config.write_text('data_dir = "."\n[recorder]\nkeep_size = "3kB"\n')
    assert recordings("prune", "--config", config).exit_code == 0
    assert left(data) == 1


def test_recording_of_a_model_is_deleted_only_on_request(data: Path) -> None:
    oldest = min((data / "recordings").rglob("*.bin"))
    Registry(data / "registry").add("m", factory_model().data, {"path": str(oldest)})
    spared = recordings("prune", "--data-dir", data, "--keep", "30d")
    assert "kept for a model" in spared.output
    assert oldest.exists()
    assert recordings("prune", "--data-dir", data, "--keep", "30d", "--even-trained").exit_code == 0
    assert not oldest.exists()


def test_result_of_pruning_is_available_as_json(data: Path) -> None:
    result = recordings("prune", "--data-dir", data, "--keep", "50d", "--json")
    document = json.loads(result.output)
    assert [row["device"] for row in document["deleted"]] == ["a"]
    assert (document["left"], document["problems"], document["dry_run"]) == (2, [], False)


def test_list_is_sorted_by_age_and_marks_open_recordings(data: Path) -> None:
    opened = write_old_recording(data / "recordings", "b", 0, closed=False)
    lines = recordings("list", "--data-dir", data).output.splitlines()
    assert lines[-1].startswith("4 recordings, ")
    assert [line for line in lines if line.startswith("*")] == [line for line in lines if opened.name in line]
    rows = json.loads(recordings("list", "--data-dir", data, "--json").output)
    assert sorted(row["ended"] for row in rows) == [row["ended"] for row in rows]
    assert [row["closed"] for row in rows if row["device"] == "b"] == [False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no limit is set: give --keep or --keep-size"),
        (["--keep", "soon"], "--keep: expected a duration such as 30d, 12h or 90m, not 'soon'"),
        (["--keep-size", "0GB"], "--keep-size: expected a size such as 10GB or 500MB, not '0GB'"),
        (["--keep", "-3d"], "--keep: expected a duration"),
    ],
)
def test_mistake_is_one_line_and_deletes_nothing(data: Path, arguments: list[str], message: str) -> None:
    result = recordings("prune", "--data-dir", data, *arguments)
    assert (result.exit_code, left(data)) == (2, 3)
    assert message in result.output
    assert result.output.count("\n") == 1


def test_folder_without_recordings_is_not_an_error(tmp_path: Path) -> None:
    assert recordings("prune", "--data-dir", tmp_path, "--keep", "1d").output == "0 deleted (0 B); 0 left (0 B).\n"
    assert recordings("list", "--data-dir", tmp_path).output.startswith("0 recordings, 0 B, ")


def test_damaged_model_is_reported_with_exit_code_2(data: Path) -> None:
    version = Registry(data / "registry").add("m", factory_model().data, {})
    version.model_path.write_bytes(b"no model")
    result = recordings("prune", "--data-dir", data, "--keep", "30d")
    assert (result.exit_code, left(data)) == (2, 3)
    assert "no recording is deleted until this model can be read" in result.output

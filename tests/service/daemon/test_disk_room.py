"""Old recordings make room on a disk that is almost full when the daemon starts, and only then."""

from __future__ import annotations

from pathlib import Path

from models.registry import Registry
from service.config.config import Config, RecorderConfig
from service.daemon.disk_room import free_bytes, make_room
from service.ops.metrics import Metrics
from service.recording.retention import Retention
from stinger.quantities import parse_size
from tests.helpers.recordings import write_old_recording

MOST_MB = 1_000_000


async def made_room(data_dir: Path, recorder: RecorderConfig) -> list[Path]:
    """Return the recordings that are left of an old and a young one."""
    recordings = data_dir / "recordings"
    write_old_recording(recordings, "a", 400, samples=1000)
    write_old_recording(recordings, "a", 1, samples=1000)
    config = Config(data_dir=data_dir, recorder=recorder)
    await make_room(config, Retention(recordings, Registry(data_dir / "registry")), Metrics())
    return sorted(recordings.rglob("*.bin"))


async def test_nothing_is_deleted_while_the_disk_has_room(tmp_path: Path) -> None:
    assert len(await made_room(tmp_path, RecorderConfig(keep_free_mb=0, keep_size=parse_size("1KB")))) == 2


async def test_recordings_beyond_the_limits_are_deleted_when_the_disk_is_full(tmp_path: Path) -> None:
    left = await made_room(tmp_path, RecorderConfig(keep_free_mb=MOST_MB, keep_size=parse_size("1KB")))
    assert len(left) == 1


async def test_without_limits_nothing_is_deleted_although_the_disk_is_full(tmp_path: Path) -> None:
    assert len(await made_room(tmp_path, RecorderConfig(keep_free_mb=MOST_MB))) == 2


def test_free_space_of_a_folder_that_is_missing_is_unknown(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "missing") is None

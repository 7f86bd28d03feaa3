"""Recovery while the daemon runs: whatever fails for one recording, all others are closed and their events published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from service.base.events import Event, Shot
from service.daemon.pipeline import Pipeline
from service.daemon.recovering import BackgroundRecovery
from service.recording.sidecar import read_sidecar
from service.recording.store import list_files
from stinger.logs.marked import sidecar_path
from tests.helpers.recordings import NOW_S, write_recording
from tests.helpers.samples import counting_samples
from tests.service.daemon.fakes import BrokenModel, FakeModel, serving


def write_killed(folder: Path, device: str, age_s: float) -> Path:
    """Create a recording with one shot that a killed daemon left open."""
    samples = counting_samples(0, 200)
    samples["trigger"][150:160] = 1
    return write_recording(folder, device, NOW_S - age_s, samples, closed=False)


async def recovered(folder: Path, model: FakeModel) -> list[Event]:
    """Recover what is in ``folder``; return the events that were published."""
    events: list[Event] = []

    def publish(found: Sequence[Event], _model: str | None) -> None:
        events.extend(found)

    pipeline = Pipeline(serving(model), min_shot_gap_ms=1000, threshold=None)
    await BackgroundRecovery(list_files(folder), pipeline, publish, lambda: 0).run()
    return events


def is_closed(recording: Path) -> bool:
    return read_sidecar(sidecar_path(recording)).closed


async def test_events_of_a_killed_daemon_are_published_and_its_recordings_closed(tmp_path: Path) -> None:
    paths = [write_killed(tmp_path, "a", 100), write_killed(tmp_path, "b", 50)]
    shots = [event.device for event in await recovered(tmp_path, FakeModel()) if isinstance(event, Shot)]
    assert sorted(shots) == ["a", "b"]
    assert all(map(is_closed, paths))


async def test_recording_of_an_impossible_device_is_closed_without_events(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_killed(tmp_path, "a", 100)
    sidecar = sidecar_path(path)
    sidecar.write_text(sidecar.read_text(encoding="utf-8").replace('"a"', '"a/b #"'), encoding="utf-8")
    other = write_killed(tmp_path, "b", 200)
    shots = [event.device for event in await recovered(tmp_path, FakeModel()) if isinstance(event, Shot)]
    assert shots == ["b"]
    assert is_closed(path)
    assert is_closed(other)
    assert "lost_events_not_found" in caplog.text


async def test_model_that_fails_keeps_no_recording_from_being_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [write_killed(tmp_path, "a", 100), write_killed(tmp_path, "b", 50)]
    assert await recovered(tmp_path, BrokenModel()) == []
    assert all(map(is_closed, paths))
    assert caplog.text.count("lost_events_not_found") == 2


async def test_damaged_sidecar_is_reported_and_left_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    damaged, other = write_killed(tmp_path, "a", 50), write_killed(tmp_path, "b", 100)
    sidecar_path(damaged).write_text("[]", encoding="utf-8")
    before = damaged.read_bytes()
    await recovered(tmp_path, FakeModel())
    assert damaged.read_bytes() == before
    assert is_closed(other)
    assert "problems=1" in caplog.text

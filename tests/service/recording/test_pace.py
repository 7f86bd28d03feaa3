from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from service.recording import pace as recording_pace
from service.recording.pace import RecordingPace
from service.recording.recorder import Recorder
from stinger.device_name import DeviceName
from stinger.logs import read_log
from stinger.sample import SampleArray
from tests.helpers.samples import random_samples
from tests.service.blocks import block_of, blocks_of


class Timers:
    """What was to be called later; a test says when that is."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def later(self, _delay_s: float, call: Callable[[], None]) -> None:
        self.waiting.append(call)

    def fire(self) -> None:
        due, self.waiting = self.waiting, []
        for call in due:
            call()


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path, keep_free_bytes=0)
    yield recorder
    assert recorder.close()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every beginning keeps the next one waiting for ever, but for those that a timer brings."""
    monkeypatch.setattr(recording_pace, "SHARE", 1e-12)


def recorded(folder: Path, device: str) -> SampleArray:
    (path,) = (folder / device).glob("*.bin")
    return read_log(path).samples


def test_a_device_that_appears_alone_is_in_its_file_at_once(tmp_path: Path, recorder: Recorder) -> None:
    timers = Timers()
    samples = random_samples(20)
    RecordingPace(recorder, timers.later).append(block_of(samples))
    assert recorded(tmp_path, "d").tobytes() == samples.tobytes()
    assert not timers.waiting


@pytest.mark.usefixtures("slow")
def test_the_second_of_two_waits_for_its_turn_and_loses_nothing(tmp_path: Path, recorder: Recorder) -> None:
    timers = Timers()
    pace = RecordingPace(recorder, timers.later)
    samples = {device: random_samples(60, seed=ord(device)) for device in "ab"}
    for blocks in zip(*(blocks_of(samples[device], 20, device=device) for device in "ab"), strict=True):
        for block in blocks:
            pace.append(block)
    assert recorded(tmp_path, "a").tobytes() == samples["a"].tobytes()
    assert not (tmp_path / "b").exists()
    timers.fire()
    assert recorded(tmp_path, "b").tobytes() == samples["b"].tobytes()


@pytest.mark.usefixtures("slow")
def test_after_its_turn_a_device_is_recorded_at_once(tmp_path: Path, recorder: Recorder) -> None:
    timers = Timers()
    pace = RecordingPace(recorder, timers.later)
    samples = random_samples(40)
    first, second = blocks_of(samples, 20, device="b")
    pace.append(block_of(random_samples(1), device="a"))
    pace.append(first)
    timers.fire()
    pace.append(second)
    assert recorded(tmp_path, "b").tobytes() == samples.tobytes()


@pytest.mark.usefixtures("slow")
def test_one_device_begins_a_turn_and_one_timer_runs(recorder: Recorder) -> None:
    timers = Timers()
    pace = RecordingPace(recorder, timers.later)
    for device in "abcde":
        pace.append(block_of(random_samples(1), device=device))
    for begun in range(1, 6):
        assert recorder.stats().files == begun
        assert len(timers.waiting) == (begun < 5)
        timers.fire()


@pytest.mark.usefixtures("slow")
def test_what_waits_is_recorded_at_the_end(tmp_path: Path, recorder: Recorder) -> None:
    pace = RecordingPace(recorder, Timers().later)
    for device in "abc":
        pace.append(block_of(random_samples(20), device=device))
    pace.close()
    for device in "abc":
        np.testing.assert_array_equal(recorded(tmp_path, device), random_samples(20))


@pytest.mark.usefixtures("slow")
def test_more_than_may_wait_is_recorded_without_its_turn(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_pace, "HELD_MAX_SAMPLES", 50)
    pace = RecordingPace(recorder, Timers().later)
    pace.append(block_of(random_samples(1), device="a"))
    samples = random_samples(60)
    for block in blocks_of(samples, 20, device="b"):
        pace.append(block)
    assert recorded(tmp_path, "b").tobytes() == samples.tobytes()


@pytest.mark.usefixtures("slow")
def test_a_device_that_is_not_to_be_recorded_does_not_wait(tmp_path: Path, recorder: Recorder) -> None:
    timers = Timers()
    pace = RecordingPace(recorder, timers.later)
    recorder.stop(DeviceName("b"))
    pace.append(block_of(random_samples(1), device="a"))
    pace.append(block_of(random_samples(1), device="b"))
    assert not timers.waiting
    assert not (tmp_path / "b").exists()
    assert recorder.stats().lost == 0


@pytest.mark.usefixtures("slow")
def test_devices_that_start_over_at_once_take_turns_as_well(recorder: Recorder) -> None:
    timers = Timers()
    pace = RecordingPace(recorder, timers.later)
    for boot in (0, 1):
        for device in "abc":
            pace.append(block_of(random_samples(1), device=device, boot=boot))
        while timers.waiting and boot == 0:
            timers.fire()
    assert recorder.stats().files == 3
    for _ in range(3):
        timers.fire()
    assert recorder.stats().files == 6


@pytest.mark.usefixtures("slow")
def test_what_waits_of_a_device_can_be_settled(tmp_path: Path, recorder: Recorder) -> None:
    pace = RecordingPace(recorder, Timers().later)
    pace.append(block_of(random_samples(1), device="a"))
    samples = random_samples(40)
    for block in blocks_of(samples, 20, device="b"):
        pace.append(block)
    pace.settle(DeviceName("b"))
    recorder.stop(DeviceName("b"))
    assert recorded(tmp_path, "b").tobytes() == samples.tobytes()


@pytest.mark.usefixtures("slow")
def test_one_failure_does_not_end_the_turns_of_the_others(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    timers = Timers()
    pace = RecordingPace(recorder, timers.later)
    for device in "abc":
        pace.append(block_of(random_samples(1), device=device))

    def broken(_: object) -> int:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(recorder, "append", broken)
        with pytest.raises(RuntimeError):
            timers.fire()
    timers.fire()
    assert recorder.current(DeviceName("c")) is not None


@pytest.mark.usefixtures("slow")
def test_never_more_than_one_timer_runs(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_pace, "HELD_MAX_SAMPLES", 50)
    timers = Timers()
    pace = RecordingPace(recorder, timers.later)
    for device in "abcd":  # each but the first is let go for being too long, with its timer still running
        pace.append(block_of(random_samples(60), device=device))
    assert len(timers.waiting) == 1

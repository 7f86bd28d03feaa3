from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from service.recording.pacing import PacedRecorder
from service.recording.recorder import Recorder
from stinger.device_name import DeviceName
from stinger.logs import read_log
from stinger.sample import SampleArray
from tests.helpers.samples import random_samples
from tests.service.blocks import block_of, blocks_of

TINY_SHARE = 1e-12
"""After a file was created, the next one has to wait so long that only a test's timer can bring it."""


class Timers:
    """Holds the calls that are due later; a test fires them."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def call_later(self, _delay_s: float, call: Callable[[], None]) -> None:
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


def recorded(folder: Path, device: str) -> SampleArray:
    (path,) = (folder / device).glob("*.bin")
    return read_log(path).samples


def test_first_block_of_a_single_device_is_written_at_once(tmp_path: Path, recorder: Recorder) -> None:
    timers = Timers()
    samples = random_samples(20)
    PacedRecorder(recorder, timers.call_later).on_samples(block_of(samples))
    assert recorded(tmp_path, "d").tobytes() == samples.tobytes()
    assert not timers.waiting


def test_files_of_some_devices_are_created_at_once(recorder: Recorder) -> None:
    timers = Timers()
    paced = PacedRecorder(recorder, timers.call_later, share=TINY_SHARE, at_once_s=60.0)
    for device in "abcdefgh":
        paced.on_samples(block_of(random_samples(1), device=device))
    assert recorder.stats().files == 8
    assert not timers.waiting


def test_second_of_two_new_devices_waits_for_its_turn_and_loses_nothing(tmp_path: Path, recorder: Recorder) -> None:
    timers = Timers()
    paced = PacedRecorder(recorder, timers.call_later, share=TINY_SHARE, at_once_s=0.0)
    samples = {device: random_samples(60, seed=ord(device)) for device in "ab"}
    for blocks in zip(*(blocks_of(samples[device], 20, device=device) for device in "ab"), strict=True):
        for block in blocks:
            paced.on_samples(block)
    assert recorded(tmp_path, "a").tobytes() == samples["a"].tobytes()
    assert not (tmp_path / "b").exists()
    timers.fire()
    assert recorded(tmp_path, "b").tobytes() == samples["b"].tobytes()


def test_device_is_recorded_at_once_after_its_turn(tmp_path: Path, recorder: Recorder) -> None:
    timers = Timers()
    paced = PacedRecorder(recorder, timers.call_later, share=TINY_SHARE, at_once_s=0.0)
    samples = random_samples(40)
    first, second = blocks_of(samples, 20, device="b")
    paced.on_samples(block_of(random_samples(1), device="a"))
    paced.on_samples(first)
    timers.fire()
    paced.on_samples(second)
    assert recorded(tmp_path, "b").tobytes() == samples.tobytes()


def test_each_turn_creates_one_file_and_starts_one_timer(recorder: Recorder) -> None:
    timers = Timers()
    paced = PacedRecorder(recorder, timers.call_later, share=TINY_SHARE, at_once_s=0.0)
    for device in "abcde":
        paced.on_samples(block_of(random_samples(1), device=device))
    for begun in range(1, 6):
        assert recorder.stats().files == begun
        assert len(timers.waiting) == (begun < 5)
        timers.fire()


def test_held_blocks_are_recorded_on_close(tmp_path: Path, recorder: Recorder) -> None:
    paced = PacedRecorder(recorder, Timers().call_later, share=TINY_SHARE, at_once_s=0.0)
    for device in "abc":
        paced.on_samples(block_of(random_samples(20), device=device))
    paced.close()
    for device in "abc":
        np.testing.assert_array_equal(recorded(tmp_path, device), random_samples(20))


def test_device_with_too_many_held_samples_does_not_wait_for_its_turn(
    tmp_path: Path,
    recorder: Recorder,
) -> None:
    paced = PacedRecorder(recorder, Timers().call_later, share=TINY_SHARE, at_once_s=0.0, max_held_samples=50)
    paced.on_samples(block_of(random_samples(1), device="a"))
    samples = random_samples(60)
    for block in blocks_of(samples, 20, device="b"):
        paced.on_samples(block)
    assert recorded(tmp_path, "b").tobytes() == samples.tobytes()


def test_blocks_of_a_device_that_is_not_recorded_are_not_held(tmp_path: Path, recorder: Recorder) -> None:
    timers = Timers()
    paced = PacedRecorder(recorder, timers.call_later, share=TINY_SHARE, at_once_s=0.0)
    recorder.stop(DeviceName("b"))
    paced.on_samples(block_of(random_samples(1), device="a"))
    paced.on_samples(block_of(random_samples(1), device="b"))
    assert not timers.waiting
    assert not (tmp_path / "b").exists()
    assert recorder.stats().lost == 0


def test_devices_that_reboot_at_the_same_time_take_turns(recorder: Recorder) -> None:
    timers = Timers()
    paced = PacedRecorder(recorder, timers.call_later, share=TINY_SHARE, at_once_s=0.0)
    for boot in (0, 1):
        for device in "abc":
            paced.on_samples(block_of(random_samples(1), device=device, boot=boot))
        while timers.waiting and boot == 0:
            timers.fire()
    assert recorder.stats().files == 3
    for _ in range(3):
        timers.fire()
    assert recorder.stats().files == 6


def test_held_blocks_of_one_device_can_be_released_before_it_is_stopped(tmp_path: Path, recorder: Recorder) -> None:
    paced = PacedRecorder(recorder, Timers().call_later, share=TINY_SHARE, at_once_s=0.0)
    paced.on_samples(block_of(random_samples(1), device="a"))
    samples = random_samples(40)
    for block in blocks_of(samples, 20, device="b"):
        paced.on_samples(block)
    paced.release(DeviceName("b"))
    recorder.stop(DeviceName("b"))
    assert recorded(tmp_path, "b").tobytes() == samples.tobytes()


def test_failure_of_one_device_does_not_end_the_turns_of_others(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers = Timers()
    paced = PacedRecorder(recorder, timers.call_later, share=TINY_SHARE, at_once_s=0.0)
    for device in "abc":
        paced.on_samples(block_of(random_samples(1), device=device))

    def broken(_: object) -> int:
        raise RuntimeError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(recorder, "append", broken)
        with pytest.raises(RuntimeError):
            timers.fire()
    timers.fire()
    assert recorder.current(DeviceName("c")) is not None


def test_only_one_timer_runs_at_a_time(recorder: Recorder) -> None:
    timers = Timers()
    paced = PacedRecorder(recorder, timers.call_later, share=TINY_SHARE, at_once_s=0.0, max_held_samples=50)
    for device in "abcd":  # all but the first exceed what may be held, while the timer still runs
        paced.on_samples(block_of(random_samples(60), device=device))
    assert len(timers.waiting) == 1

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from service.recording.recovery import OpenRecording, open_recordings, recover
from service.recording.sidecar import Sidecar, read_sidecar
from service.recording.store import list_files, sidecar_path
from stinger.files import write_bytes
from tests.helpers.samples import random_samples

STEM = "20260131T170203.456Z"
STARTED_MS = 1_769_878_923_456


def left_open(folder: Path, data: bytes, *, name: str = STEM, sidecar: Sidecar | None = None) -> Path:
    path = folder / "d" / f"{name}.bin"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    if sidecar is not None:
        write_bytes(sidecar_path(path), sidecar.to_json())
    return path


def opened(folder: Path) -> list[OpenRecording]:
    return [found for found in open_recordings(list_files(folder)) if isinstance(found, OpenRecording)]


@pytest.mark.parametrize("zeros", [17, 20, 4096, 100_000])
def test_zeros_that_a_power_cut_left_are_cut_off_and_are_no_samples(tmp_path: Path, zeros: int) -> None:
    samples = random_samples(100, first_ms=5000)
    samples["gz"], samples["trigger"] = 7, 0
    path = left_open(tmp_path, samples.tobytes() + bytes(zeros))
    found = recover(tmp_path)
    assert (found.closed, found.samples, found.torn_bytes) == (1, 100, zeros)
    assert path.read_bytes() == samples.tobytes()
    assert read_sidecar(sidecar_path(path)).samples == 100


def test_record_that_was_written_in_part_before_the_zeros_is_cut_off_too(tmp_path: Path) -> None:
    samples = random_samples(100, first_ms=5000)
    left_open(tmp_path, samples.tobytes()[: 99 * 17 + 8] + bytes(1000))
    assert recover(tmp_path).samples == 99


def test_last_record_may_end_with_zeros(tmp_path: Path) -> None:
    samples = random_samples(10, first_ms=5000)
    samples["gz"], samples["trigger"] = 0, 0
    left_open(tmp_path, samples.tobytes())
    assert recover(tmp_path).samples == 10


def test_recording_of_zeros_alone_is_deleted(tmp_path: Path) -> None:
    path = left_open(tmp_path, bytes(5000))
    assert recover(tmp_path).removed == 1
    assert not path.exists()


def test_zero_of_the_devices_clock_comes_from_the_sidecar_or_from_the_name(tmp_path: Path) -> None:
    samples = random_samples(10, first_ms=5000)
    left_open(tmp_path, samples.tobytes())
    assert opened(tmp_path)[0].clock_zero_ms == STARTED_MS - 5000
    left_open(tmp_path, samples.tobytes(), sidecar=Sidecar(device="d", started="", clock_zero_ms=77))
    assert opened(tmp_path)[0].clock_zero_ms == 77


def test_newest_recording_is_recovered_first_and_closed_ones_are_left_out(tmp_path: Path) -> None:
    data = random_samples(10).tobytes()
    names = ["20260131T170203.456Z", "20260101T170203.456Z", "20260201T170203.456Z"]
    for name in names:
        left_open(tmp_path, data, name=name)
    left_open(tmp_path, data, name="20260301T170203.456Z", sidecar=Sidecar(device="d", started="", closed=True))
    assert [one.path.stem for one in opened(tmp_path)] == [names[2], names[0], names[1]]


def test_samples_of_an_open_recording_are_its_whole_records(tmp_path: Path) -> None:
    samples = random_samples(10)
    left_open(tmp_path, samples.tobytes() + b"torn")
    (one,) = opened(tmp_path)
    assert np.array_equal(one.samples, samples)
    assert one.torn_bytes == 4

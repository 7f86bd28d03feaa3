from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.base.note import NoteText, parse_note
from service.recording.recorder import Recorder
from service.recording.sidecar import Sidecar, read_sidecar
from service.recording.store import device_folder, read_store, recorded_device
from stinger.device_name import DeviceName, parse_device_name
from stinger.errors import InputError
from stinger.files import write_bytes
from stinger.logs import read_log
from stinger.logs.marked import sidecar_path
from tests.helpers.device_names import NAMES_TO_ACCEPT
from tests.helpers.samples import random_samples
from tests.service.blocks import block_of, blocks_of


@contextmanager
def recorder_in(folder: Path, **options: Any) -> Iterator[Recorder]:
    recorder = Recorder(folder, **{"sync_interval_s": 60.0, "keep_free_bytes": 0, **options})
    try:
        yield recorder
    finally:
        assert recorder.close()


def recordings(folder: Path, device: str = "d") -> list[Path]:
    return sorted((folder / device).glob("*.bin"))


def sidecars(folder: Path, device: str = "d") -> list[Sidecar]:
    return [read_sidecar(sidecar_path(path)) for path in recordings(folder, device)]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_recording_holds_exactly_the_samples_of_the_blocks(tmp_path: Path, size: int) -> None:
    samples = random_samples(1000)
    with recorder_in(tmp_path) as recorder:
        assert sum(recorder.append(block) for block in blocks_of(samples, size)) == 1000
    (path,) = recordings(tmp_path)
    np.testing.assert_array_equal(read_log(path).samples, samples)
    (sidecar,) = sidecars(tmp_path)
    assert (sidecar.samples, sidecar.gaps, sidecar.closed, sidecar.end) == (1000, 0, True, "stop")
    assert (path.name, sidecar.started) == ("20251009T085320.000Z.bin", "2025-10-09T08:53:20.000Z")


def test_samples_are_in_the_file_before_anything_is_flushed(tmp_path: Path) -> None:
    samples = random_samples(3)
    with recorder_in(tmp_path) as recorder:
        recorder.append(block_of(samples))
        path = recorder.current(DeviceName("d"))
        assert path is not None
        assert path.read_bytes() == samples.tobytes()


def test_open_recording_is_described_as_open(tmp_path: Path) -> None:
    with recorder_in(tmp_path) as recorder:
        recorder.describe(DeviceName("d"), firmware="1.4", model="m1")
        recorder.append(block_of(random_samples(3)))
        assert recorder.flush()
        (sidecar,) = sidecars(tmp_path)
    assert (sidecar.closed, sidecar.firmware, sidecar.model) == (False, "1.4", "m1")


@pytest.mark.parametrize(
    ("first_ms", "boot", "end"),
    [(5_000, 1, "reboot"), (0, 0, "reboot"), (0, 1, "reboot")],
)
def test_reboot_begins_a_new_recording(tmp_path: Path, first_ms: int, boot: int, end: str) -> None:
    before, after = random_samples(100), random_samples(50, first_ms=first_ms, seed=2)
    with recorder_in(tmp_path) as recorder:
        recorder.append(block_of(before))
        recorder.append(block_of(after, boot=boot))
    assert [sidecar.end for sidecar in sidecars(tmp_path)] == [end, "stop"]
    assert [path.read_bytes() for path in recordings(tmp_path)] == [before.tobytes(), after.tobytes()]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 1), st.integers(1, 8)), min_size=1, max_size=12))
def test_file_is_created_exactly_for_blocks_that_do_not_continue_the_open_one(
    blocks: list[tuple[int, int, int]],
) -> None:
    with tempfile.TemporaryDirectory() as name, recorder_in(Path(name), max_file_bytes=17 * 10) as recorder:
        for first_ms, boot, count in blocks:
            block = block_of(random_samples(count, first_ms=first_ms), boot=boot)
            continues = recorder.continues_file(block)
            files = recorder.stats().files
            assert recorder.append(block) == count
            assert recorder.stats().files == files + (not continues)


def test_clock_wrap_begins_a_new_recording(tmp_path: Path) -> None:
    samples = random_samples(100, first_ms=2**32 - 500)
    with recorder_in(tmp_path) as recorder:
        recorder.append(block_of(samples[:50]))
        recorder.append(block_of(samples[50:], boot=1))
    assert [sidecar.end for sidecar in sidecars(tmp_path)] == ["clock wrap", "stop"]


def test_full_file_is_closed_and_another_one_created(tmp_path: Path) -> None:
    samples = random_samples(250)
    with recorder_in(tmp_path, max_file_bytes=100 * 17) as recorder:
        for block in blocks_of(samples, 10):
            recorder.append(block)
    assert [path.stat().st_size // 17 for path in recordings(tmp_path)] == [100, 100, 50]
    assert b"".join(path.read_bytes() for path in recordings(tmp_path)) == samples.tobytes()


def test_gaps_are_counted_within_and_between_blocks(tmp_path: Path) -> None:
    samples = random_samples(60)
    samples["timestamp_ms"][20:] += 51
    samples["timestamp_ms"][35:] += 1000
    samples["timestamp_ms"][50:] += 40  # 50 ms from one to the next: no gap yet
    with recorder_in(tmp_path) as recorder:
        for block in blocks_of(samples, 20):
            recorder.append(block)
    assert sidecars(tmp_path)[0].gaps == 2


def test_recording_is_stopped_started_and_split_on_command(tmp_path: Path) -> None:
    with recorder_in(tmp_path) as recorder:
        kept = []
        for index, block in enumerate(blocks_of(random_samples(50), 10)):
            if index == 1:
                recorder.new_file(DeviceName("d"))
            if index == 2:
                recorder.stop(DeviceName("d"))
                assert not recorder.is_recording(DeviceName("d"))
            if index == 3:
                recorder.start(DeviceName("d"))
            kept.append(recorder.append(block))
    assert kept == [10, 10, 0, 10, 10]
    assert [sidecar.samples for sidecar in sidecars(tmp_path)] == [10, 10, 20]


def test_recorder_switched_off_records_only_started_devices(tmp_path: Path) -> None:
    with recorder_in(tmp_path, recording=False) as recorder:
        recorder.start(DeviceName("b"))
        assert recorder.append(block_of(random_samples(5), device="a")) == 0
        assert recorder.append(block_of(random_samples(5), device="b")) == 5
        assert recorder.stats().lost == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["b"]


def test_notes_are_kept_with_the_recording(tmp_path: Path) -> None:
    with recorder_in(tmp_path) as recorder:
        recorder.note(DeviceName("d"), parse_note("before"))
        recorder.describe(DeviceName("d"), model="m1")
        recorder.append(block_of(random_samples(5)))
        recorder.note(DeviceName("d"), parse_note(" während "))
        recorder.describe(DeviceName("d"), model="m2")
        assert recorder.flush()
        (sidecar,) = sidecars(tmp_path)
    assert [note.text for note in sidecar.notes] == ["before", "während", "model m2"]
    assert sidecars(tmp_path)[0].notes == sidecar.notes


def test_note_that_is_not_valid_unicode_does_not_stop_sidecars_from_being_written(tmp_path: Path) -> None:
    with recorder_in(tmp_path) as recorder:
        recorder.append(block_of(random_samples(5)))
        recorder.note(DeviceName("d"), NoteText("half \ud800"))
        assert recorder.flush()
    (sidecar,) = sidecars(tmp_path)
    assert (sidecar.notes[0].text, sidecar.closed) == ("half \ud800", True)


def test_firmware_that_becomes_known_later_is_added_to_the_open_recording(tmp_path: Path) -> None:
    with recorder_in(tmp_path) as recorder:
        recorder.append(block_of(random_samples(5)))
        recorder.describe(DeviceName("d"), firmware="1.4", model="m1")
        recorder.describe(DeviceName("d"), firmware="1.5", model="m1")
    (sidecar,) = sidecars(tmp_path)
    assert (sidecar.firmware, sidecar.model, sidecar.notes) == ("1.4", "m1", ())


@pytest.mark.parametrize("name", NAMES_TO_ACCEPT)
def test_every_device_is_recorded_in_a_folder_that_every_system_can_create(tmp_path: Path, name: str) -> None:
    device = parse_device_name(name)
    with recorder_in(tmp_path) as recorder:
        assert recorder.append(block_of(random_samples(2), device=name)) == 2
        assert recorder.stats().lost == 0
    (folder,) = tmp_path.iterdir()
    assert folder == device_folder(tmp_path, device)
    assert not PureWindowsPath(folder.name).is_reserved()
    assert recorded_device(folder) == device
    assert [stored.device for stored in read_store(tmp_path).recordings] == [device]


def test_many_devices_each_have_their_own_recording(tmp_path: Path) -> None:
    with recorder_in(tmp_path) as recorder:
        for round_ in range(3):
            for number in range(40):
                samples = random_samples(5, first_ms=round_ * 50, seed=number)
                recorder.append(block_of(samples, device=f"d{number}"))
        assert recorder.stats().open_files == 40
    assert all(sidecars(tmp_path, f"d{number}")[0].samples == 15 for number in range(40))


def test_file_of_the_longest_silent_device_is_closed_if_too_many_are_open(tmp_path: Path) -> None:
    with recorder_in(tmp_path, max_open_files=2) as recorder:
        for device in ("a", "b", "a", "c"):
            recorder.append(block_of(random_samples(5), device=device))
        assert recorder.current(DeviceName("b")) is None
        assert recorder.current(DeviceName("a"))
        assert recorder.stats().open_files == 2
    assert sidecars(tmp_path, "b")[0].end == "rest"


def test_two_recordings_of_the_same_millisecond_have_different_names(tmp_path: Path) -> None:
    with recorder_in(tmp_path) as recorder:
        recorder.append(block_of(random_samples(5), boot=0))
        recorder.append(block_of(random_samples(6), boot=1))
    assert [path.name for path in recordings(tmp_path)] == ["20251009T085320.000Z.bin", "20251009T085320.000Z_002.bin"]
    assert [sidecar.samples for sidecar in sidecars(tmp_path)] == [5, 6]


def test_impossible_time_of_a_sample_does_not_stop_recording(tmp_path: Path) -> None:
    with recorder_in(tmp_path) as recorder:
        for device, taken_s in (("a", float("nan")), ("b", -5.0), ("c", 1e18)):
            assert recorder.append(block_of(random_samples(5), device=device, taken_s=taken_s)) == 5


def test_blocks_after_close_are_ignored(tmp_path: Path) -> None:
    with recorder_in(tmp_path) as recorder:
        recorder.append(block_of(random_samples(5)))
        recorder.close()
        assert recorder.append(block_of(random_samples(5, first_ms=50))) == 0
        assert recorder.flush()


def test_invalid_sidecar_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for content, message in (
        (b"{", "not JSON"),
        (b"[]", "not a sidecar"),
        (b'{"schema": 9}', "schema 1"),
        (b'{"schema": 1}', "device"),
        (b'{"schema": 1, "device": "d", "started": 4}', "started"),
        (b'{"schema": 1, "device": "d", "started": "", "notes": [3]}', "not a sidecar"),
    ):
        write_bytes(path, content)
        with pytest.raises(InputError, match=message):
            read_sidecar(path)

"""Samples that wait for a file of their own survive a kill in one journal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.recording.held_journal import HeldJournal, read_held, restore_held, restore_or_warn
from service.recording.pacing import PacedRecorder
from service.recording.recorder import Recorder
from service.recording.recovery import recover
from service.recording.sidecar import read_sidecar
from stinger.device_name import DeviceName
from stinger.logs import read_log
from stinger.logs.marked import sidecar_path
from stinger.sample import SampleArray
from tests.helpers.file_systems import SmallDisk
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT
from tests.helpers.samples import random_samples
from tests.service.blocks import block_of, blocks_of


def samples_of(device: str, count: int = 60) -> SampleArray:
    return random_samples(count, seed=sum(device.encode()))


def journal_of(folder: Path, *devices: str) -> Path:
    journal = HeldJournal(folder / "held")
    for device in devices:
        for block in blocks_of(samples_of(device), 20, device=device):
            journal.add(block)
    journal.close()
    return folder / "held"


def recorded(recordings: Path, device: str) -> bytes:
    (path,) = (recordings / device).glob("*.bin")
    return path.read_bytes()


def test_what_was_held_becomes_recordings_that_are_recovered(tmp_path: Path) -> None:
    path = journal_of(tmp_path, "a", "b")
    assert restore_held(path, tmp_path / "r") == 120
    assert not path.exists()
    assert recover(tmp_path / "r").closed == 2
    for device in "ab":
        assert recorded(tmp_path / "r", device) == samples_of(device).tobytes()
    (one,) = (tmp_path / "r" / "a").glob("*.bin")
    sidecar = read_sidecar(sidecar_path(one))
    assert (sidecar.device, sidecar.clock_zero_ms, sidecar.samples) == ("a", 1_760_000_000_000, 60)


def test_without_a_journal_nothing_is_restored(tmp_path: Path) -> None:
    assert restore_held(tmp_path / "held", tmp_path / "r") == 0
    assert not (tmp_path / "r").exists()


def test_what_was_recorded_meanwhile_is_not_restored_again(tmp_path: Path) -> None:
    journal = HeldJournal(tmp_path / "held")
    for device in "abc":
        journal.add(block_of(samples_of(device), device=device))
    journal.recorded(DeviceName("b"))
    journal.close()
    recorder = Recorder(tmp_path / "r", keep_free_bytes=0)
    recorder.append(block_of(samples_of("c"), device="c"))  # killed before it was marked
    assert recorder.close()
    assert restore_held(tmp_path / "held", tmp_path / "r") == 60
    assert {path.name for path in (tmp_path / "r").iterdir()} == {"a", "c"}
    assert recorded(tmp_path / "r", "c") == samples_of("c").tobytes()


def test_boots_of_a_device_are_recordings_of_their_own(tmp_path: Path) -> None:
    journal = HeldJournal(tmp_path / "held")
    for boot in range(3):
        journal.add(block_of(random_samples(20, seed=boot), device="a", boot=boot))
    journal.close()
    assert [held.boot for held in read_held(tmp_path / "held")] == [0, 1, 2]
    restore_held(tmp_path / "held", tmp_path / "r")
    assert len(list((tmp_path / "r" / "a").glob("*.bin"))) == 3


def test_a_cleared_journal_is_empty_and_can_be_used_again(tmp_path: Path) -> None:
    journal = HeldJournal(tmp_path / "held")
    journal.add(block_of(samples_of("a"), device="a"))
    journal.clear()
    assert read_held(tmp_path / "held") == []
    journal.add(block_of(samples_of("b"), device="b"))
    journal.close()
    assert [held.device for held in read_held(tmp_path / "held")] == ["b"]


@given(at=st.integers(0, 4000), added=st.binary(max_size=40))
def test_a_damaged_journal_yields_whole_entries_before_the_damage(
    at: int, added: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = journal_of(tmp_path_factory.mktemp("held"), "a", "b", "c")
    path.write_bytes(path.read_bytes()[:at] + added)
    intact = {device: samples_of(device).tobytes() for device in "abc"}
    for held in read_held(path):
        assert intact[held.device].startswith(held.records)
        assert len(held.records) % (20 * 17) == 0


@pytest.mark.parametrize("place", ["missing/held", "pipe"])
def test_a_disk_that_refuses_keeps_no_sample_from_being_recorded(tmp_path: Path, place: str) -> None:
    if place == "pipe":  # that nobody reads: opening it to write would wait for ever
        if not hasattr(os, "mkfifo"):
            pytest.skip("this system has no pipes in folders")
        os.mkfifo(tmp_path / place)
    recorder = Recorder(tmp_path / "r", keep_free_bytes=0)
    paced = PacedRecorder(
        recorder, lambda _s, _call: None, share=1e-12, at_once_s=0.0, journal=HeldJournal(tmp_path / place)
    )
    for device in "ab":
        paced.on_samples(block_of(samples_of(device), device=device))
    paced.close()
    assert recorder.close()
    assert recorded(tmp_path / "r", "b") == samples_of("b").tobytes()


KILLED = """
import os, signal, sys
from pathlib import Path
from service.recording.held_journal import HeldJournal
from service.recording.pacing import PacedRecorder
from service.recording.recorder import Recorder
from tests.service.blocks import blocks_of
from tests.service.recording.test_held_journal import samples_of

folder = Path(sys.argv[1])
timers = []
paced = PacedRecorder(
    Recorder(folder / "r", keep_free_bytes=0), lambda _s, call: timers.append(call), share=1e-12, at_once_s=0.0,
    journal=HeldJournal(folder / "held"),
)
devices = [f"d{n}" for n in range(50)]
for blocks in zip(*(blocks_of(samples_of(device), 20, device=device) for device in devices)):
    for block in blocks:
        paced.on_samples(block)
for _ in range(20):
    timers.pop()()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_while_many_devices_wait_for_their_files_loses_no_sample(tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=ROOT, timeout=PATIENCE_S, check=False)
    assert killed.returncode == -9
    assert len(list((tmp_path / "r").glob("*/*.bin"))) == 21
    assert restore_held(tmp_path / "held", tmp_path / "r") == 29 * 60
    assert recover(tmp_path / "r").closed == 50
    for number in range(50):
        (path,) = (tmp_path / "r" / f"d{number}").glob("*.bin")
        assert np.array_equal(read_log(path).samples, samples_of(f"d{number}"))


def test_a_journal_that_cannot_be_read_is_a_warning_and_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "held").mkdir()
    restore_or_warn(tmp_path / "held", tmp_path / "r")
    assert "held_samples_not_restored" in caplog.text
    assert (tmp_path / "held").is_dir()


def test_entries_after_a_full_disk_are_found(tmp_path: Path, small_disk_at: SmallDisk) -> None:
    disk = tmp_path / "disk"
    small_disk_at(disk, 64)
    journal = HeldJournal(disk / "held")
    filler = disk / "filler"
    filler.write_bytes(bytes(56 * 1024))
    (before,) = blocks_of(samples_of("a", 200), 200, device="a")
    (refused,) = blocks_of(samples_of("b", 600), 600, device="b")
    (after,) = blocks_of(samples_of("c", 200), 200, device="c")
    journal.add(before)
    journal.add(refused)
    filler.unlink()
    journal.add(after)
    journal.close()
    assert [(held.device, held.records) for held in read_held(disk / "held")] == [
        ("a", before.samples.tobytes()),
        ("c", after.samples.tobytes()),
    ]

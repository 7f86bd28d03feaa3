"""Recordings and a clock that jumps: none is deleted by age because of a wrong time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.registry import Registry
from service.recording.age_clock import AgeClock
from service.recording.retention import Limits, Retention
from tests.helpers.recordings import DAY_S, NOW_S, write_old_recording

HOUR_S = 3600.0
YEAR_S = 365 * DAY_S
KEEP = Limits(keep_s=90 * DAY_S)


class Machine:
    """A machine with recordings: its clock, and the daemon that prunes every hour."""

    def __init__(self, folder: Path) -> None:
        self.recordings = folder / "recordings"
        self.file = folder / "retention.json"
        self.now_s = NOW_S
        self.monotonic_s = 1000.0
        self.restart()

    def restart(self) -> None:
        clock = AgeClock(self.file, monotonic_s=lambda: self.monotonic_s)
        self.retention = Retention(self.recordings, Registry(self.recordings / "none"), clock=clock)

    def run(self, hours: float) -> int:
        """Prune now and each hour for ``hours``; return how many recordings were deleted."""
        deleted = 0
        for _ in range(int(hours) + 1):
            deleted += len(self.retention.prune(KEEP, now_s=self.now_s).deleted)
            self.now_s += HOUR_S
            self.monotonic_s += HOUR_S
        return deleted


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Has 15 recordings of the last 140 days, three of them older than 90."""
    for number in range(15):
        write_old_recording(tmp_path / "recordings", "a" if number % 2 else "b", number * 9.5 + 0.1)
    return Machine(tmp_path)


def test_too_old_recordings_are_deleted_at_once_with_a_clock_that_is_right(machine: Machine) -> None:
    assert machine.run(0) == 5


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("checked_before", [False, True])
def test_clock_that_is_a_year_ahead_for_hours_deletes_nothing(
    machine: Machine, restart: bool, checked_before: bool
) -> None:
    if checked_before:
        assert machine.run(3) == 5
    for _ in range(3):
        machine.now_s += YEAR_S
        if restart:
            machine.restart()
        assert machine.run(20) == 0
        machine.now_s -= YEAR_S
        if restart:
            machine.restart()
        assert machine.run(5) == (0 if checked_before else 5)
        checked_before = True


def test_recordings_made_with_a_wrong_clock_do_not_make_it_right(machine: Machine) -> None:
    machine.now_s += YEAR_S
    assert machine.run(0) == 0
    path = write_old_recording(machine.recordings, "c", 0)
    os.utime(path, (machine.now_s, machine.now_s))
    assert machine.run(10) == 0


def test_time_in_1970_is_no_trial_of_a_clock_that_is_ahead_afterwards(machine: Machine) -> None:
    assert machine.run(3) == 5
    right_s = machine.now_s
    machine.now_s = 10.0
    machine.restart()
    machine.run(2)
    machine.now_s = right_s + YEAR_S
    machine.restart()
    assert machine.run(22) == 0


def test_clock_that_stays_ahead_is_trusted_after_a_day(machine: Machine) -> None:
    machine.now_s += YEAR_S
    assert machine.run(22) == 0
    assert machine.run(5) == 13
    assert 'trial_since_s": null' in machine.file.read_text()


def test_clock_that_jumps_again_is_not_trusted_a_day_after_its_first_jump(machine: Machine) -> None:
    machine.now_s += YEAR_S
    assert machine.run(12) == 0
    machine.now_s += YEAR_S
    assert machine.run(20) == 0


def test_machine_that_runs_some_hours_a_week_deletes_by_age_as_well(machine: Machine) -> None:
    deleted = 0
    for _week in range(6):
        deleted += machine.run(4)
        machine.now_s += 7 * DAY_S - 5 * HOUR_S
        machine.monotonic_s = 50.0
        machine.restart()
    assert deleted >= 8


def test_machine_that_starts_in_1970_until_its_clock_is_set_deletes_by_age_afterwards(machine: Machine) -> None:
    assert machine.run(0) == 5
    for _day in range(3):
        right_s, machine.now_s = machine.now_s, 60.0
        machine.restart()
        assert machine.run(0) == 0
        path = write_old_recording(machine.recordings, "d", 0, samples=50 + _day)
        os.utime(path, (70.0, 70.0))
        machine.now_s = right_s + DAY_S
        machine.run(2)
        assert path.exists(), "it is minutes old"
        assert 'trial_since_s": null' in machine.file.read_text()


def test_size_is_limited_whatever_the_clock_shows(machine: Machine) -> None:
    machine.now_s += YEAR_S
    pruned = machine.retention.prune(Limits(keep_s=90 * DAY_S, keep_bytes=1), now_s=machine.now_s)
    assert len(pruned.deleted) == 13
    assert len(pruned.problems) == 1


def test_dry_run_changes_nothing(machine: Machine) -> None:
    machine.now_s += YEAR_S
    pruned = machine.retention.prune(KEEP, now_s=machine.now_s, dry_run=True)
    assert pruned.deleted == ()
    assert "365.1 days ahead" in pruned.problems[0]
    assert not machine.file.exists()


@given(
    st.binary(max_size=60) | st.sampled_from([b"{}", b"[1]", b'{"trusted_s": NaN, "trial_since_s": null}', b"1e999"])
)
def test_damaged_file_counts_as_none(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("clock") / "retention.json"
    file.write_bytes(content)
    assert AgeClock(file).check(NOW_S, NOW_S - DAY_S) == ""


def test_clock_is_checked_although_its_file_cannot_be_written(tmp_path: Path) -> None:
    clock = AgeClock(tmp_path / "none" / "retention.json")
    assert clock.check(NOW_S, NOW_S - HOUR_S) == ""
    assert "365.0 days ahead" in clock.check(NOW_S + YEAR_S, NOW_S - HOUR_S)


def test_daemon_follows_a_person_who_trusts_the_clock(machine: Machine) -> None:
    machine.now_s += YEAR_S
    assert machine.run(3) == 0
    AgeClock(machine.file).trust(machine.now_s)
    assert machine.run(0) == 13

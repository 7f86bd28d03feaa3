"""A long action: a command as a child process, with progress, output and an end, which also comes with the page's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from service.web.actions import Actions, Kind
from service.web.long_action import LongAction, Progress
from service.web.pages.action_view import duration_text, outcome_text, running_text
from service.web.progress_lines import parse_progress
from stinger.errors import InputError
from tests.helpers.patience import PATIENCE_S
from tests.helpers.recordings import NOW_S, write_recording
from tests.helpers.synthetic import synthetic_samples

FOR_EVER = ["emulate", "--tcp", "127.0.0.1:0"]
"""A command that runs until it is interrupted."""


@contextmanager
def running(*arguments: str, kill_after_s: float = PATIENCE_S) -> Iterator[LongAction]:
    action = LongAction(arguments, kill_after_s=kill_after_s)
    try:
        yield action
    finally:
        action.close(PATIENCE_S)


def wait_for_line(action: LongAction) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while not action.lines:
        assert action.state == "running", action.problem
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return action.lines[0]


def is_running(pid: int) -> bool:
    """Return whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pid_of(action: LongAction) -> int:
    return action._process.pid


def test_a_finished_action_has_its_output_and_is_done(tmp_path: Path) -> None:
    log = write_recording(tmp_path, "b1", NOW_S, synthetic_samples(600, 1))
    with running("info", str(log)) as action:
        assert action.wait(PATIENCE_S)
    assert (action.state, action.problem) == ("done", "")
    assert any("600" in line for line in action.lines)


def test_a_failed_action_has_the_error_of_the_command_as_its_problem() -> None:
    with running("info", "/nowhere/\x1b[2Jlog.bin") as action:
        assert action.wait(PATIENCE_S)
    assert action.state == "failed"
    assert "No such file" in action.problem
    assert not action.problem.startswith("Error")
    assert "\x1b" not in "".join(action.lines)


def test_progress_of_the_command_arrives_and_is_not_among_its_lines(tmp_path: Path) -> None:
    for number in range(3):
        write_recording(tmp_path / "recordings", f"b{number}", NOW_S, synthetic_samples(600, 1, seed=number))
    with running("recordings", "bundle", "--data-dir", str(tmp_path), "-o", str(tmp_path / "all.zip")) as action:
        assert action.wait(PATIENCE_S)
    assert action.state == "done", action.lines
    assert action.progress is not None
    assert (action.progress.label, action.progress.done, action.progress.of) == ("Packing", 3, 3)
    assert all(parse_progress(line) is None for line in action.lines)


def test_a_cancelled_action_interrupts_its_command() -> None:
    with running(*FOR_EVER) as action:
        assert "device 0" in wait_for_line(action)
        action.cancel()
        assert action.wait(PATIENCE_S)
        assert not is_running(pid_of(action))


@pytest.mark.skipif(os.name != "posix", reason="stops a process")
def test_an_action_that_does_not_react_to_cancelling_is_killed() -> None:
    with running(*FOR_EVER, kill_after_s=0.2) as action:
        wait_for_line(action)
        os.kill(pid_of(action), signal.SIGSTOP)
        action.cancel()
        assert action.is_cancelling
        assert action.wait(PATIENCE_S)
        assert (action.state, action.exit_code) == ("cancelled", -signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_what_a_killed_command_has_started_is_killed_too() -> None:
    with running("demo", kill_after_s=0.2) as action:
        pid = pid_of(action)
        deadline = time.monotonic() + PATIENCE_S
        while len(group_of(pid)) < 2:  # the emulated blaster
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(pid, signal.SIGSTOP)
        action.cancel()
        assert action.wait(PATIENCE_S)
        while group_of(pid):  # processes that have been sent SIGKILL end when they are next given a processor
            assert time.monotonic() < deadline
            time.sleep(0.02)


def group_of(pid: int) -> list[int]:
    """Return the running processes of the group that ``pid`` leads."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
            if int(group) == pid and state != "Z":
                found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_the_command_ends_with_the_process_that_started_it_even_if_that_is_killed() -> None:
    program = f"""
import time
from service.web.long_action import LongAction
action = LongAction({FOR_EVER!r})
while not action.lines: time.sleep(0.01)
print(action._process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        try:
            assert is_running(pid)
            parent.kill()
            parent.wait(PATIENCE_S)
            deadline = time.monotonic() + PATIENCE_S
            while is_running(pid):
                assert time.monotonic() < deadline
                time.sleep(0.02)
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_only_one_training_runs_at_a_time_and_blasters_do_not_wait_for_it() -> None:
    actions = Actions()
    try:
        training = actions.start(Kind.TRAIN, FOR_EVER)
        for kind in (Kind.TRAIN, Kind.PERSONAL_TRAINING, Kind.BENCH):
            with pytest.raises(InputError, match="the training on all recordings is running"):
                actions.start(kind, FOR_EVER)
        fetching = actions.start(Kind.FETCH, FOR_EVER)
        with pytest.raises(InputError, match="fetching a log is running"):
            actions.start(Kind.UPLOAD, FOR_EVER)
        assert actions.newest(Kind.TRAIN) is training
        assert actions.newest(Kind.FETCH) is fetching
    finally:
        actions.close()
    assert training.state != "running"
    assert fetching.state != "running"
    with pytest.raises(InputError, match="about to end"):
        actions.start(Kind.BENCH, FOR_EVER)


def test_the_time_left_follows_from_the_speed_of_the_step() -> None:
    assert Progress("Fitting", 0, 8, 100.0, 100.0).left_s(103.0) is None
    assert Progress("Fitting", 2, 8, 100.0, 110.0).left_s(110.0) == 30.0
    assert Progress("Fitting", 2, 8, 100.0, 110.0).left_s(115.0) == 25.0
    assert Progress("Fitting", 2, 8, 100.0, 110.0).left_s(500.0) == 0.0


@pytest.mark.parametrize(
    "line",
    ["", "Reading", "\x1e", "\x1e{}", '\x1e["a", 1]', '\x1e["a", 1, 0]', "\x1e[1, 2, 3]", '\x1e["a", 1.5, true]'],
)
def test_lines_that_are_no_progress_are_output(line: str) -> None:
    assert parse_progress(line) is None


def test_texts_about_an_action_are_for_people(tmp_path: Path) -> None:
    with running("info", str(tmp_path / "nothing.bin")) as action:
        assert running_text(action, action.began_s + 3).startswith("Starting …, running for 3 s")
        assert action.wait(PATIENCE_S)
        assert outcome_text(action).startswith("⚠ Failed after ")
    assert duration_text(59.6) == "1 min 0 s"

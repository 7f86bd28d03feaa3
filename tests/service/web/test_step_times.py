"""The time left for a whole action, from the steps of an earlier one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.web.actions import Actions, Kind
from service.web.long_action import LongAction, Progress
from service.web.pages.action_view import running_text
from service.web.step_times import FILE, TYPICAL, Step, StepTimes, time_left_s
from tests.helpers.patience import PATIENCE_S
from tests.helpers.recordings import NOW_S, write_recording
from tests.helpers.synthetic import synthetic_samples

EARLIER = (Step("", 2.0), Step("Reading", 8.0), Step("Fitting", 50.0), Step("Fitting", 30.0), Step("Drawing", 10.0))


@pytest.mark.parametrize(
    ("done", "label", "part", "spent_s", "left_s"),
    [
        ([Step("", 2)], "Reading", 0.5, 4, 94),
        ([Step("", 4)], "Reading", 0.5, 8, 188),
        ([Step("", 2), Step("Reading", 8)], "Fitting", 1.0, 50, 40),
        ([Step("", 2), Step("Reading", 8), Step("Fitting", 50)], "Fitting", 0.5, 15, 25),
        ([Step("", 2), Step("Downloading", 60), Step("Reading", 8)], "Fitting", 0.0, 0, 90),
        ([Step("", 2), Step("Fitting", 50), Step("Fitting", 30)], "Drawing", 0.5, 5, 5),
        ([Step("", 2), Step("Reading", 8)], "Packing", 0.5, 5, None),
        ([Step("", 1)], "Reading", 0.0, 0, None),
    ],
)
def test_the_time_left_is_that_of_the_earlier_steps_at_the_pace_so_far(
    done: list[Step], label: str, part: float, spent_s: float, left_s: float | None
) -> None:
    found = time_left_s(EARLIER, done, label, part, spent_s)
    assert found == (None if left_s is None else pytest.approx(left_s))


@given(st.integers(0, 4), st.floats(0, 1), st.floats(0.1, 10))
def test_a_run_with_the_same_steps_at_another_pace_takes_as_much_longer(at: int, part: float, pace: float) -> None:
    done = [Step(step.label, pace * step.seconds) for step in EARLIER[:at]]
    found = time_left_s(EARLIER, done, EARLIER[at].label, part, pace * part * EARLIER[at].seconds)
    spent_then = sum(step.seconds for step in EARLIER[:at]) + part * EARLIER[at].seconds
    if spent_then <= 2.0:
        assert found is None
    else:
        assert found == pytest.approx(pace * (100 - spent_then), abs=1e-9)


def test_steps_are_kept_across_restarts_for_each_kind(tmp_path: Path) -> None:
    times = StepTimes(tmp_path / FILE)
    times.keep("TRAIN", EARLIER)
    times.keep("BENCH", EARLIER[:2])
    again = StepTimes(tmp_path / FILE)
    assert (again.of("TRAIN"), again.of("BENCH"), again.of("UPLOAD")) == (EARLIER, EARLIER[:2], ())


def test_an_action_that_did_not_do_the_whole_work_replaces_nothing(tmp_path: Path) -> None:
    times = StepTimes(tmp_path / FILE)
    times.keep("TRAIN", EARLIER)
    times.keep("TRAIN", EARLIER[:2])
    times.keep("TRAIN", ())
    assert times.of("TRAIN") == EARLIER
    times.keep("TRAIN", EARLIER[:3])
    assert times.of("TRAIN") == EARLIER[:3]


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[1]", b'{"TRAIN": 1}', b'{"TRAIN": [["a", -1]]}', b'{"TRAIN": [["a", Infinity]]}']
)
def test_a_damaged_file_is_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "step-times.json"
    path.write_bytes(content)
    times = StepTimes(path)
    assert times.of("TRAIN") == TYPICAL["TRAIN"]
    times.keep("TRAIN", EARLIER)
    assert StepTimes(path).of("TRAIN") == EARLIER


def test_a_folder_that_cannot_be_written_to_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("a file")
    times = StepTimes(tmp_path / FILE)
    times.keep("TRAIN", EARLIER)
    assert times.of("TRAIN") == EARLIER


def test_a_finished_action_leaves_its_steps_for_the_next_one(tmp_path: Path) -> None:
    write_recording(tmp_path / "recordings", "b1", NOW_S, synthetic_samples(600, 1))
    times = StepTimes(tmp_path / FILE)
    actions = Actions(times)
    try:
        arguments = ["recordings", "bundle", "--data-dir", str(tmp_path), "-o", str(tmp_path / "all.zip")]
        first = actions.start(Kind.BENCH, arguments)
        assert first.wait(PATIENCE_S), first.lines
        assert [step.label for step in first.steps] == ["", "Reading", "Packing"]
        assert times.of("BENCH") == first.steps
        assert actions.start(Kind.BENCH, arguments).earlier == first.steps
    finally:
        actions.close()


def test_the_text_has_the_time_left_in_the_step_and_in_all(tmp_path: Path) -> None:
    action = LongAction(["info", str(tmp_path / "nothing.bin")], earlier=EARLIER)
    try:
        began_s = action.began_s
        before = (Step("", 2.0), Step("Reading", 8.0))
        action.progress = Progress("Fitting", 5, 10, began_s + 10, began_s + 35, before)
        text = running_text(action, began_s + 35)
        assert "about 25 s left in this step, about 1 min 5 s in all; running for 35 s" in text
        action.earlier = ()
        assert "in all" not in running_text(action, began_s + 35)
    finally:
        action.close(PATIENCE_S)

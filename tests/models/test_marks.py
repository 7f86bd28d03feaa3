"""What a person marks in a recording: how it changes sessions, training rows and evaluations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.candidate_windows import find_candidates
from models.decision_parameters import DecisionParameters
from models.export import ExportOptions, build_dataset
from models.repeats import without_repeats
from models.sessions import Session, open_sessions, open_sessions_of_logs
from models.stream_rows import SampleLabel, StreamOptions, label_samples
from models.windows import WINDOW_MS, span_of
from replay.evaluation.cost import cost_table, divide_into_blocks
from replay.evaluation.evaluate import average_precision, evaluate, follow_traces
from replay.trace import Trace
from stinger.logs import Log, parse_log
from stinger.marks import Marks, make_marks
from stinger.mlmd import WINDOW_SAMPLES
from stinger.sample import SampleArray
from stinger.shots import find_shots
from tests.helpers.samples import samples_at
from tests.helpers.synthetic import synthetic_samples

SAMPLES = synthetic_samples(6000, 12)
SHOTS_MS = find_shots(parse_log(SAMPLES.tobytes(), "x").recordings[0]).time_ms


def marked(samples: SampleArray, marks: Marks, name: str = "log.bin") -> Log:
    return replace(parse_log(samples.tobytes(), name), marks=(marks,))


def session(marks: Marks, samples: SampleArray = SAMPLES) -> Session:
    (opened,) = open_sessions([marked(samples, marks)])
    return opened


def pulls(*edges_ms: int, count: int = 1000) -> SampleArray:
    """Return 10 s of a blaster that is turned at random, with pulls of the trigger of 50 ms."""
    times = 10 * np.arange(count)
    trigger = sum(((times >= at) & (times < at + 50)).astype(int) for at in edges_ms)
    return samples_at(times, trigger=trigger, channels=np.random.default_rng(1).integers(-2000, 2000, (count, 6)))


def trace_with_wheels(of: Session, *on_ms: tuple[int, int]) -> Trace:
    """Return a trace whose output is 1 during the given times, and 0 elsewhere."""
    probability = np.zeros(len(of.recording), dtype=np.float32)
    for first, last in on_ms:
        probability[(of.recording.time_ms >= first) & (of.recording.time_ms < last)] = 1
    return Trace(of, probability)


AT_ONCE = DecisionParameters(attack=1.0, release=1.0)


def test_a_left_out_stretch_has_no_samples_shots_or_minutes() -> None:
    whole, cut = session(Marks()), session(make_marks([(10_000, 20_000)], []))
    inside = (whole.shots.time_ms >= 10_000) & (whole.shots.time_ms <= 20_000)
    assert inside.any()
    assert not ((cut.recording.time_ms >= 10_000) & (cut.recording.time_ms <= 20_000)).any()
    assert cut.shots.time_ms.tolist() == whole.shots.time_ms[~inside].tolist()
    assert cut.recording.recorded_ms == pytest.approx(whole.recording.recorded_ms - 10_010)
    assert cut.recording.trigger[cut.shots.index].all()


@given(st.integers(0, 59_000), st.integers(1, 400))
def test_no_window_reaches_across_a_left_out_stretch(from_ms: int, length_ms: int) -> None:
    cut = session(make_marks([(from_ms, from_ms + length_ms)], []))
    labels = label_samples(cut, WINDOW_SAMPLES, StreamOptions())
    ends = np.flatnonzero(labels != SampleLabel.LEFT_OUT)
    starts_ms = cut.recording.time_ms[ends - WINDOW_SAMPLES + 1]
    ends_ms = cut.recording.time_ms[ends]
    assert not ((starts_ms < from_ms) & (ends_ms > from_ms)).any()
    assert (ends_ms - starts_ms == 10 * (WINDOW_SAMPLES - 1)).all()


def test_a_recording_left_out_as_a_whole_has_no_session_and_the_next_keeps_its_name() -> None:
    two = np.concatenate([SAMPLES, SAMPLES])
    log = replace(parse_log(two.tobytes(), "two.bin"), marks=(make_marks([(0, 10**7)], []),))
    other = parse_log(synthetic_samples(500, 1, seed=9).tobytes(), "other.bin")
    names = [[one.name for one in sessions] for sessions in open_sessions_of_logs([log, other])]
    assert names == [["two#2"], ["other"]]


def test_shot_numbers_continue_without_dismissed_shots() -> None:
    logs = [marked(SAMPLES, Marks((), (int(SHOTS_MS[0]),)), "a.bin"), parse_log(SAMPLES.tobytes(), "b.bin")]
    first, second = open_sessions(logs)
    assert second.first_shot_num == first.accepted_shots == session(Marks()).accepted_shots - 1


def test_a_dismissed_edge_does_not_keep_the_next_shot_from_being_accepted() -> None:
    found = session(Marks((), (3000,)), pulls(3000, 3600))
    assert found.shots.accepted.tolist() == [False, True]
    assert session(Marks(), pulls(3000, 3600)).shots.accepted.tolist() == [True, False]


def test_a_mark_without_an_edge_nearby_changes_nothing() -> None:
    assert session(Marks((), (3100,)), pulls(3000)).shots.accepted.tolist() == [True]


def test_around_a_dismissed_edge_no_sample_is_positive_or_negative() -> None:
    labels = label_samples(session(Marks((), (5000,)), pulls(5000)), WINDOW_SAMPLES, StreamOptions())
    assert set(labels[470:531]) == {SampleLabel.LEFT_OUT}
    assert set(labels[WINDOW_SAMPLES:470]) == set(labels[531:]) == {SampleLabel.NEGATIVE}


@pytest.mark.parametrize("avoided", ["accepted", "all"])
def test_no_negative_window_ends_near_a_dismissed_edge(avoided: str) -> None:
    found = session(Marks((), (5000,)), pulls(2000, 5000))
    candidates = find_candidates(
        [found],
        [span_of(found.recording, window_ms=WINDOW_MS)],
        keep_clear_ms=600,
        avoid_post_ms=1000,
        avoid_edges=avoided,  # type: ignore[arg-type]  # one of the two
        apart_ms=0,
    )
    assert (candidates.exclusion[440:601] != 0).all()
    assert (candidates.exclusion[310:440] == 0).all()


def test_an_exported_training_set_has_no_window_of_marked_shots() -> None:
    dismissed = int(SHOTS_MS[3])
    whole, fewer = (
        build_dataset([session(marks)], ExportOptions(), about={}) for marks in (Marks(), Marks((), (dismissed,)))
    )
    assert np.count_nonzero(fewer.labels) == np.count_nonzero(whole.labels) - 1
    assert dismissed in whole.rows.shot_timestamp_ms
    assert dismissed not in fewer.rows.shot_timestamp_ms


def test_spin_ups_at_a_dismissed_edge_are_neither_false_nor_in_time() -> None:
    samples = pulls(2000, 5000, 8000)
    wheels = ((1800, 2100), (4200, 4700), (4800, 5100), (6500, 6700))
    for marks, false, in_time, shots in ((Marks(), 1, 2, 3), (Marks((), (5000,)), 1, 1, 2)):
        of = session(marks, samples)
        traces = [trace_with_wheels(of, *wheels)]
        found = evaluate(traces, AT_ONCE)
        assert (found.false.count, found.accepted.count, found.accepted.total) == (false, in_time, shots)
        assert (found.all_shots.count, found.all_shots.total) == (in_time, shots)
        counts = cost_table(follow_traces(traces, AT_ONCE), divide_into_blocks(traces), [AT_ONCE]).counts[0].sum(axis=0)
        assert counts[:2].tolist() == [shots - in_time, false]


def test_average_precision_does_not_see_the_samples_before_a_dismissed_edge() -> None:
    samples = pulls(2000, 5000)
    wheels = ((1600, 2000), (4600, 5000))
    whole, fewer = (
        average_precision([trace_with_wheels(session(marks, samples), *wheels)])
        for marks in (Marks(), Marks((), (5000,)))
    )
    assert whole is not None
    assert fewer is not None
    assert whole.samples - fewer.samples == 21
    assert fewer.by_chance < whole.by_chance


def test_a_copy_of_a_left_out_stretch_is_left_out_as_well() -> None:
    copy = SAMPLES.copy()
    copy["timestamp_ms"] += 777
    marks = make_marks([(20_000, 30_000)], [])
    found = without_repeats(open_sessions([parse_log(copy.tobytes(), "copy.bin"), marked(SAMPLES, marks, "mine.bin")]))
    assert [one.name for one in found.sessions] == ["mine"]
    longer = np.concatenate([copy, synthetic_samples(3000, 5, seed=8)])
    longer["timestamp_ms"] = 10 * np.arange(9000)
    found = without_repeats(
        open_sessions([parse_log(longer.tobytes(), "copy.bin"), marked(SAMPLES, marks, "mine.bin")])
    )
    assert {one.name: len(one.recording) for one in found.sessions} == {"copy": 2900, "mine": 4999}
    assert any("what is marked as left out in mine" in line or "also in mine" in line for line in found.warnings)


times = st.integers(0, 10**6)


@given(st.lists(st.tuples(times, times).filter(lambda pair: pair[0] < pair[1])), times, times)
def test_using_a_stretch_again_undoes_leaving_it_out(stretches: list[tuple[int, int]], first: int, last: int) -> None:
    marks = make_marks(stretches, [])
    again = marks.use_again(min(first, last), max(first, last) + 1)
    inside = range(min(first, last) + 1, max(first, last) + 1, 997)
    assert not any(a < t < b for t in inside for a, b in again.left_out)
    assert marks.union(again) == marks

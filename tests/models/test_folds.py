from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.export import ExportOptions, build_dataset
from models.folds import GUARD_MS, Fold, folds_by_session, folds_by_time, folds_holding_out, slice_session
from models.negatives import NegativeOptions
from models.sessions import Session
from models.stream_rows import has_positives
from models.windows import LEAD_MS, WINDOW_MS
from stinger.errors import InputError
from stinger.recording import split_recordings
from stinger.sample import SampleArray
from stinger.shots import find_shots
from tests.helpers.samples import samples_at
from tests.helpers.synthetic import synthetic_samples


def session_of(samples: SampleArray, name: str = "a", first_shot_num: int = 0) -> Session:
    (recording,) = split_recordings(samples)
    return Session(name, recording, find_shots(recording), first_shot_num)


@st.composite
def sessions(draw: st.DrawFn) -> list[Session]:
    found = []
    for i in range(draw(st.integers(1, 3))):
        stretches = draw(st.lists(st.tuples(st.integers(20, 5000), st.integers(1, 400)), min_size=1, max_size=6))
        steps = np.concatenate([np.r_[gap, np.full(count, 10)] for gap, count in stretches])
        found.append(session_of(samples_at(np.cumsum(steps)), name=str(i)))
    return found


def learnt_times(fold: Fold, name: str) -> npt.NDArray[np.int64]:
    """The times of all samples of session ``name`` that are learnt from."""
    pieces = [piece.recording.time_ms for piece in fold.train if piece.name.partition("[")[0] == name]
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)


@given(sessions(), st.integers(2, 6))
def test_every_sample_is_tested_once_and_nothing_within_the_guard_is_learnt_from(
    found: list[Session], count: int
) -> None:
    try:
        folds = folds_by_time(found, count)
    except InputError:
        assert all(len(session.recording) * 10 < count * (GUARD_MS + 10) for session in found)
        return
    tested = [np.zeros(len(session.recording), dtype=int) for session in found]
    for fold in folds:
        for part in fold.test:
            tested[part.session][part.start : part.stop] += 1
            times = found[part.session].recording.time_ms
            learnt = learnt_times(fold, found[part.session].name)
            away = (learnt < times[part.start] - GUARD_MS) | (learnt > times[part.stop - 1] + GUARD_MS)
            assert away.all()
    assert all((counts == 1).all() for counts in tested)


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(2, 6))
def test_no_window_learnt_from_overlaps_what_is_tested_or_the_guard(seed: int, count: int) -> None:
    session = session_of(synthetic_samples(6000, 12, seed=seed, gaps=2))
    for fold in folds_by_time([session], count):
        (part,) = fold.test
        times = session.recording.time_ms
        rows = build_dataset(fold.train, ExportOptions(), about={}).rows
        before = rows.window_end_ms < times[part.start] - GUARD_MS
        after = rows.window_start_ms > times[part.stop - 1] + GUARD_MS
        assert (before | after).all()
        # Neither does the shot that a positive window is labelled with.
        assert (before == (rows.event_timestamp_ms < times[part.start])).all()


@settings(max_examples=20)
@given(st.integers(0, 1000), st.integers(2, 6))
def test_no_negative_learnt_from_ends_right_before_a_shot_that_its_fold_leaves_out(seed: int, count: int) -> None:
    session = session_of(synthetic_samples(6000, 24, seed=seed, bursts=6))
    options = ExportOptions(negatives=NegativeOptions(mult=100, min_sep_ms=0, avoid_post_ms=0))
    for fold in folds_by_time([session], count):
        dataset = build_dataset(fold.train, options, about={})
        ends = dataset.rows.event_timestamp_ms[dataset.labels == 0]
        to_next = session.shots.time_ms[None, :] - ends[:, None]
        assert not ((to_next >= 0) & (to_next <= LEAD_MS + WINDOW_MS)).any()


def test_blocks_are_contiguous_and_equally_long() -> None:
    folds = folds_by_time([session_of(samples_at(np.arange(1000) * 10))], 4)
    edges = [(fold.test[0].start, fold.test[0].stop) for fold in folds]
    assert all(one[1] == other[0] for one, other in pairwise(edges))
    assert {stop - start for start, stop in edges} == {250}


def test_short_session_is_tested_whole_beside_longer_ones() -> None:
    long, short = session_of(samples_at(np.arange(1000) * 10)), session_of(samples_at(np.arange(60) * 10), "b")
    folds = folds_by_time([long, short], 2)
    assert [len(fold.test) for fold in folds] == [1, 2]
    assert short in folds[0].train


def test_more_folds_than_blocks_are_refused_with_what_would_do() -> None:
    with pytest.raises(InputError, match="use at most 3 folds"):
        folds_by_time([session_of(samples_at(np.arange(390) * 10))], 4)


def session_with_shots(shots: int, name: str) -> Session:
    return session_of(
        synthetic_samples(1500, shots, seed=len(name)) if shots else samples_at(np.arange(300) * 10), name
    )


def test_no_fold_by_session_holds_out_all_shots_if_two_sessions_have_some() -> None:
    found = [session_with_shots(4 if number in (0, 5) else 0, f"s{number}") for number in range(7)]
    folds = folds_by_session(found, 5)
    assert sorted(stretch.session for fold in folds for stretch in fold.test) == list(range(7))
    for fold in folds:
        assert fold.test
        assert any(session.accepted_shots for session in fold.train)


def test_shots_that_nothing_can_be_learnt_from_do_not_count_when_folds_are_divided() -> None:
    trigger = np.zeros(300)
    trigger[20] = 1
    early = session_of(samples_at(np.arange(300) * 10, trigger=trigger), "early")
    assert early.accepted_shots == 1
    assert not has_positives(early)
    found = [session_with_shots(4, "a"), early, session_with_shots(4, "c")]
    folds = folds_by_session(found, 2)
    assert all(any(map(has_positives, fold.train)) for fold in folds)


def test_folds_by_session_test_each_session_whole_and_once() -> None:
    found = [session_of(samples_at(np.arange(10) * 10), str(i)) for i in range(5)]
    folds = folds_by_session(found, 3)
    assert sorted(part.session for fold in folds for part in fold.test) == [0, 1, 2, 3, 4]
    for fold in folds:
        assert not {found[part.session].name for part in fold.test} & {session.name for session in fold.train}


def test_more_folds_than_sessions_are_refused() -> None:
    with pytest.raises(InputError, match="there is 1"):
        folds_by_session([session_of(samples_at([0, 10]))], 2)


def test_piece_keeps_what_its_shots_were_in_the_whole() -> None:
    trigger = np.zeros(300)
    trigger[[20, 60, 250]] = 1  # the second too soon after the first
    session = session_of(samples_at(np.arange(300) * 10, trigger=trigger), first_shot_num=7)
    piece = slice_session(session, 40, 300)
    assert piece.shots.time_ms.tolist() == [600, 2500]
    assert piece.shots.index.tolist() == [20, 210]
    assert piece.shots.accepted.tolist() == [False, True]
    assert piece.first_shot_num == 8


@given(st.lists(st.integers(0, 4), min_size=2, max_size=9), st.data())
def test_held_out_sessions_are_tested_once_and_never_learnt_from(shots: list[int], data: st.DataObject) -> None:
    found = [session_with(count, str(i)) for i, count in enumerate(shots)]
    held_out = data.draw(st.sets(st.sampled_from(range(len(found))), min_size=1))
    count = data.draw(st.integers(1, 6))
    folds = folds_holding_out(found, held_out, count)
    assert sorted(stretch.session for fold in folds for stretch in fold.test) == sorted(held_out)
    for fold in folds:
        tested = {stretch.session for stretch in fold.test}
        assert {piece.name for piece in fold.train} == {str(i) for i in range(len(found)) if i not in tested}


@given(st.lists(st.integers(0, 4), min_size=2, max_size=9).filter(lambda shots: sum(map(bool, shots)) > 1))
def test_no_fold_leaves_out_every_session_with_shots(shots: list[int]) -> None:
    found = [session_with(count, str(i)) for i, count in enumerate(shots)]
    for fold in folds_holding_out(found, range(len(found)), 2):
        assert any(session.accepted_shots for session in fold.train)


def session_with(shots: int, name: str) -> Session:
    samples = samples_at(np.arange(1, 500) * 10)
    samples["trigger"][np.arange(shots) * 110 + 20] = 1
    return session_of(samples, name)

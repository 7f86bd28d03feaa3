"""Sessions that hold the same samples: each sample stays in one of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.overlaps import CHAIN_MIN
from models.repeats import GUARD_SAMPLES, DistinctSessions, without_repeats, without_samples_of
from models.sessions import Session, open_sessions
from stinger.logs import parse_log
from stinger.logs.writing import encode_bin, encode_csv
from stinger.sample import SampleArray, axes
from tests.helpers.retraining import session_of
from tests.helpers.synthetic import synthetic_samples


def samples(count: int = 6000, *, seed: int = 1) -> SampleArray:
    return synthetic_samples(count, max(1, count // 300), seed=seed)


def retimed(part: SampleArray, first_ms: int = 777, step_ms: int = 10) -> SampleArray:
    """Return ``part`` by another clock."""
    changed = part.copy()
    changed["timestamp_ms"] = first_ms + step_ms * np.arange(part.size)
    return changed


def distinct(**parts: SampleArray) -> DistinctSessions:
    return without_repeats([session_of(part, name) for name, part in parts.items()])


def kept(found: DistinctSessions) -> dict[str, int]:
    return {session.name: len(session.recording) for session in found.sessions}


def test_sessions_without_common_samples_stay_as_they_are() -> None:
    sessions = [session_of(samples(seed=seed), str(seed)) for seed in range(3)]
    found = without_repeats(sessions)
    assert [session.recording for session in found.sessions] == [session.recording for session in sessions]
    assert (found.positions, found.warnings) == ((0, 1, 2), ())


def test_shorter_copy_is_left_out_in_whatever_order_they_come() -> None:
    whole = samples()
    for found in (distinct(part=whole[:4000], whole=whole), distinct(whole=whole, part=whole[:4000])):
        assert kept(found) == {"whole": 6000}
        assert found.warnings == ("left out: part: its samples (40.0 s) are also in whole",)


def test_of_two_equal_copies_the_first_is_kept() -> None:
    found = distinct(pulled=samples(), live=retimed(samples()))
    assert (kept(found), found.positions) == ({"pulled": 6000}, (0,))


@pytest.mark.parametrize("encode", [encode_bin, encode_csv])
def test_copy_in_another_format_is_found(encode: object) -> None:
    assert callable(encode)
    logs = [parse_log(encode_bin(samples()), "a.bin"), parse_log(encode(retimed(samples())), "b")]
    assert len(without_repeats(open_sessions(logs)).sessions) == 1


def test_common_stretch_is_cut_from_the_shorter_session_with_a_second_around_it() -> None:
    whole = samples(9000)
    found = distinct(early=whole[:5000], late=retimed(whole[3000:]))
    assert kept(found) == {"early": 3000 - GUARD_SAMPLES, "late": 6000}
    assert found.warnings == ("early: 20.0 s of its 50.0 s are also in late, and are used once",)


def test_stretch_cut_from_the_middle_leaves_a_gap_in_time_and_the_shots_beside_it() -> None:
    first, shared, last = samples(3000, seed=2), samples(2000, seed=3), samples(3000, seed=4)
    long = retimed(np.concatenate((samples(4000, seed=5), shared, samples(4000, seed=6))))
    before = session_of(retimed(np.concatenate((first, shared, last))), "mixed")
    mixed = without_repeats([before, session_of(long, "long")]).sessions[0]
    removed = slice(3000 - GUARD_SAMPLES, 5000 + GUARD_SAMPLES)
    np.testing.assert_array_equal(mixed.recording.time_ms, np.delete(before.recording.time_ms, removed))
    assert mixed.recording.gaps().tolist() == [3000 - GUARD_SAMPLES]
    outside = (before.shots.index < removed.start) | (before.shots.index >= removed.stop)
    np.testing.assert_array_equal(mixed.shots.time_ms, before.shots.time_ms[outside])
    np.testing.assert_array_equal(mixed.recording.time_ms[mixed.shots.index], mixed.shots.time_ms)
    np.testing.assert_array_equal(mixed.shots.accepted, before.shots.accepted[outside])


def test_nothing_but_less_than_a_second_left_means_left_out() -> None:
    whole = samples()
    tail = np.concatenate((whole[3000:], samples(190, seed=9)[:190]))
    assert kept(distinct(whole=whole, tail=retimed(tail))) == {"whole": 6000}


def test_shots_are_numbered_again_over_the_sessions_that_remain() -> None:
    whole = samples()
    found = distinct(copy=whole[:3000], whole=whole, other=samples(seed=7))
    first, second = found.sessions
    assert (first.first_shot_num, second.first_shot_num) == (0, first.accepted_shots)


def test_boots_of_one_log_that_repeat_each_other_are_found() -> None:
    log = parse_log(encode_bin(np.concatenate((samples(), samples(seed=2), samples()[:3000]))), "log.bin")
    found = without_repeats(open_sessions([log]))
    assert kept(found) == {"log": 6000, "log#2": 6000}
    assert found.warnings == ("left out: log#3: its samples (30.0 s) are also in log",)


def test_session_that_repeats_itself_keeps_the_first_time() -> None:
    (session,) = distinct(looped=retimed(np.concatenate((samples(), samples(3000))))).sessions
    np.testing.assert_array_equal(session.recording.axes[:5000], axes(samples())[:5000])
    assert len(session.recording) <= 6000 + 3000


def test_copies_at_rest_with_no_motion_at_all_are_not_found() -> None:
    rest = samples(4000)
    axes(rest)[:] = (3, -2, 2048, 0, 1, 0)
    assert kept(distinct(a=rest, b=rest)) == {"a": 4000, "b": 4000}


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_hardly_a_sample_remains_in_two_sessions_or_in_none(data: st.DataObject) -> None:
    whole = samples(5000)
    parts = []
    for _ in range(data.draw(st.integers(2, 4))):
        start = data.draw(st.integers(0, 4500))
        stop = data.draw(st.integers(start + 100, 5000))
        parts.append(session_of(whole[start:stop], f"{start}:{stop}"))
    found = without_repeats(parts)
    rows = [_rows(session) for session in found.sessions]
    together = set().union(*rows)
    # Less than a tenth of a second that is in two sessions is not noticed.
    pairs = len(parts) * (len(parts) - 1) // 2
    assert sum(map(len, rows)) - len(together) <= pairs * (CHAIN_MIN - 1)
    missing = set().union(*map(_rows, parts)) - together
    # Only what lies beside a cut, or is shorter than a second between two cuts, is in none.
    assert len(missing) <= 2 * 300 * len(parts)


def test_others_that_share_samples_are_left_out_wholly_even_if_they_are_longer() -> None:
    everything = samples(9000, seed=1)
    own, longer, foreign = everything[2000:5000], retimed(everything), samples(3000, seed=2)
    sessions = {
        name: session_of(part, name) for name, part in {"own": own, "longer": longer, "foreign": foreign}.items()
    }
    kept_others, lines = without_samples_of([sessions["own"]], [sessions["longer"], sessions["foreign"]])
    assert [one.name for one in kept_others] == ["foreign"]
    assert lines == ("left out: longer: it shares samples with the logs to train on",)


def test_others_that_share_samples_among_themselves_only_are_kept() -> None:
    part = samples(3000, seed=3)
    others = [session_of(part, "one"), session_of(part, "two")]
    kept_others, lines = without_samples_of([session_of(samples(3000), "own")], others)
    assert ([one.name for one in kept_others], lines) == (["one", "two"], ())


def _rows(session: Session) -> set[bytes]:
    return {row.tobytes() for row in session.recording.axes}

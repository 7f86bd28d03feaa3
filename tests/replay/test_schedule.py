from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.schedule import BETWEEN_BOOTS_MS, DueSamples, Playback, Schedule
from stinger.recording import Recording, split_recordings
from stinger.sample import CLOCK_WRAP_MS, SampleArray
from tests.helpers.samples import counting_samples, samples_at

MS = 1_000_000
START_NS = 10**15 + 7  # eleven days after boot


def schedule_of(*boots: SampleArray) -> tuple[SampleArray, Schedule]:
    """Return the samples of ``boots`` without late ones, and their schedule."""
    recordings = split_recordings(np.concatenate(boots))
    return np.concatenate([recording.samples for recording in recordings]), Schedule.of(recordings)


def taken_until_finished(playback: Playback, start_ns: int = 0) -> list[tuple[int, DueSamples]]:
    """Take all samples of ``playback`` exactly when they are due; return them with the time of each."""
    now_ns, taken = start_ns, []
    while not playback.finished:
        due = playback.take(now_ns)
        if due is None:
            wait_ns = playback.wait_s(now_ns) * 1e9
            assert wait_ns > 0
            now_ns += max(1, round(wait_ns))
        else:
            taken.append((now_ns, due))
    return taken


@st.composite
def boots(draw: st.DrawFn) -> list[SampleArray]:
    """Up to four boots of up to twenty samples each, with steps of 0 to 3 s; any may run through the clock's wrap."""
    made = []
    for _ in range(draw(st.integers(1, 4))):
        first_ms = draw(st.one_of(st.integers(0, 100_000), st.integers(CLOCK_WRAP_MS - 2000, CLOCK_WRAP_MS - 1)))
        steps_ms = draw(st.lists(st.integers(0, 3000), max_size=19))
        channels = np.arange(6 * (len(steps_ms) + 1)).reshape(-1, 6)  # so that no sample repeats the one before
        made.append(samples_at((first_ms + np.cumsum([0, *steps_ms])) % CLOCK_WRAP_MS, channels=channels))
    return made


@given(
    boots=boots(),
    speed=st.one_of(st.just(0.0), st.floats(0.01, 100)),
    loops=st.integers(0, 3),
    max_samples=st.integers(1, 7),
    waits_ns=st.lists(st.integers(0, 20_000 * MS), max_size=40),
)
def test_every_sample_is_taken_once_per_pass_in_order_and_never_early(
    boots: list[SampleArray], speed: float, loops: int, max_samples: int, waits_ns: list[int]
) -> None:
    samples, schedule = schedule_of(*boots)
    playback = Playback(schedule, speed=speed, loops=loops, start_ns=START_NS, max_samples=max_samples)
    now_ns, taken = START_NS, []
    for wait_ns in waits_ns:  # at arbitrary times, early and late
        now_ns += wait_ns
        is_due = not playback.finished and playback.wait_s(now_ns) == 0
        due = playback.take(now_ns)
        assert (due is not None) == is_due
        if due is not None:
            assert due.samples.size <= max_samples
            assert (due.taken_ns <= now_ns + 1).all()
            taken.append(due)
    taken += [due for _, due in taken_until_finished(playback, now_ns)]
    assert np.concatenate([due.samples for due in taken]).tobytes() == samples.tobytes() * (loops + 1)
    assert all(0 <= after.boot - before.boot <= 1 for before, after in pairwise(taken))
    assert taken[-1].boot + 1 == len(schedule.parts) * (loops + 1)
    for due in taken:
        assert (np.diff(due.samples["timestamp_ms"].astype(np.int64)) >= 0).all()
        assert (np.diff(due.taken_ns) >= 0).all()
    assert playback.take(now_ns + 10**18) is None
    assert playback.wait_s(now_ns) == 0


@given(boots=boots(), speed=st.floats(0.01, 100), loops=st.integers(0, 2))
def test_due_times_do_not_depend_on_when_samples_are_taken(boots: list[SampleArray], speed: float, loops: int) -> None:
    _, schedule = schedule_of(*boots)
    punctual = taken_until_finished(Playback(schedule, speed=speed, loops=loops, start_ns=7))
    late = Playback(schedule, speed=speed, loops=loops, start_ns=7)
    delayed = []
    while (due := late.take(10**18)) is not None:
        delayed.append(due)
    assert late.finished
    assert np.concatenate([due.taken_ns for due in delayed]) == pytest.approx(
        np.concatenate([due.taken_ns for _, due in punctual])
    )


@pytest.mark.parametrize("speed", [0.5, 1.0, 20.0])
def test_pauses_last_as_long_as_they_did_divided_by_the_speed(speed: float) -> None:
    samples, schedule = schedule_of(np.concatenate([counting_samples(0, 50), counting_samples(3000, 50)]))
    taken = taken_until_finished(Playback(schedule, speed=speed, start_ns=0))
    assert [due.samples.size for _, due in taken] == [1] * 100
    assert [now_ns for now_ns, _ in taken] == pytest.approx(samples["timestamp_ms"] * MS / speed, abs=1)


def test_boots_and_wraps_are_parts_with_a_pause_before_each_boot() -> None:
    _, schedule = schedule_of(counting_samples(CLOCK_WRAP_MS - 50, 300), counting_samples(0, 5))
    assert [part.samples.size for part in schedule.parts] == [5, 295, 5]
    assert np.concatenate([part.due_ms for part in schedule.parts]).tolist() == [
        *range(0, 3000, 10),
        *range(2990 + int(BETWEEN_BOOTS_MS), 3040 + int(BETWEEN_BOOTS_MS), 10),
    ]
    assert schedule.length_ms == 3040 + BETWEEN_BOOTS_MS


def test_next_pass_follows_a_sample_step_after_the_last_sample() -> None:
    _, schedule = schedule_of(counting_samples(100, 10))
    taken = taken_until_finished(Playback(schedule, loops=1, start_ns=0))
    assert [now_ns for now_ns, _ in taken] == [i * 10 * MS for i in range(20)]
    assert [due.boot for _, due in taken] == [0] * 10 + [1] * 10


def test_playback_that_loops_for_ever_never_finishes() -> None:
    _, schedule = schedule_of(counting_samples(0, 3))
    playback = Playback(schedule, speed=0, loops=None, start_ns=0)
    boots = [due.boot for i in range(1000) if (due := playback.take(i)) is not None]
    assert boots == list(range(1000))
    assert not playback.finished


def test_at_speed_0_a_pass_counts_as_taken_just_before_it_began() -> None:
    _, schedule = schedule_of(counting_samples(0, 10))
    playback = Playback(schedule, speed=0, loops=1, start_ns=0, max_samples=6)
    second = 1000 * MS
    taken = [playback.take(now_ns) for now_ns in (second, 2 * second, 5 * second, 6 * second)]
    times = [[] if due is None else due.taken_ns.tolist() for due in taken]
    assert times[0] + times[1] == [second - (100 - 10 * i) * MS for i in range(10)]
    assert times[2] + times[3] == [5 * second - (100 - 10 * i) * MS for i in range(10)]


def test_schedule_of_nothing_is_finished_at_once() -> None:
    recordings: tuple[Recording, ...] = ()
    playback = Playback(Schedule.of(recordings), loops=None, start_ns=0)
    assert playback.finished
    assert playback.take(0) is None

from __future__ import annotations

from itertools import islice

import numpy as np

from hil.emulated.journal import Journal, Written
from hil.emulated.pacing import Pacing
from hil.emulated.playback import PlaybackBlock, play_recordings, play_synthetic
from models.synthetic import synthesise
from stinger.recording import split_recordings
from tests.helpers.samples import samples_at


def joined(parts: list[PlaybackBlock]) -> tuple[list[int], list[int], list[int]]:
    offset_ms, time_ms = (np.concatenate([getattr(part, name) for part in parts]) for name in ("offset_ms", "time_ms"))
    stamps = np.concatenate([part.samples["timestamp_ms"] for part in parts])
    return offset_ms.tolist(), time_ms.tolist(), stamps.tolist()


def test_recording_keeps_its_timestamps_and_gaps() -> None:
    offset_ms, time_ms, stamps = joined(list(play_recordings(split_recordings(samples_at([500, 510, 2500, 2510])))))
    assert offset_ms == [0, 10, 2000, 2010]
    assert time_ms == stamps == [500, 510, 2500, 2510]


def test_boots_follow_one_another_with_clocks_of_their_own() -> None:
    recordings = split_recordings(samples_at([5000, 5010, 5020, 0, 10]))
    offset_ms, _, stamps = joined(list(play_recordings(recordings)))
    assert offset_ms == [0, 10, 20, 30, 40]
    assert stamps == [5000, 5010, 5020, 0, 10]


def test_looped_recording_is_one_session_with_a_continuing_clock() -> None:
    looped = play_recordings(split_recordings(samples_at([100, 110, 120])), loop=True)
    offset_ms, _, stamps = joined(list(islice(looped, 3)))
    assert offset_ms == list(range(0, 90, 10))
    assert stamps == list(range(100, 190, 10))


def test_wrap_of_the_clock_within_a_recording_is_no_gap() -> None:
    recordings = split_recordings(samples_at([2**32 - 10, 2**32, 2**32 + 10]))
    offset_ms, time_ms, stamps = joined(list(play_recordings(recordings)))
    assert offset_ms == [0, 10, 20]
    assert stamps == [2**32 - 10, 0, 10]
    assert np.diff(time_ms).tolist() == [10, 10]


def test_synthetic_session_follows_from_its_seed_and_has_no_gaps() -> None:
    parts = list(islice(play_synthetic(6), 3))
    samples = np.concatenate([part.samples for part in parts])
    assert np.array_equal(samples, synthesise(minutes=1, seed=6, still_pause=False)[: samples.shape[0]])
    assert np.concatenate([part.offset_ms for part in parts]).tolist() == list(range(0, 10 * samples.shape[0], 10))


def test_rows_of_a_stream_are_distributed_evenly() -> None:
    for rate_hz in (1, 25, 50, 99, 100, 101, 1599, 1600):
        pacing = Pacing()
        pacing.restart()
        rows = [pacing.rows(rate_hz) for _ in range(200)]
        assert sum(rows[:100]) in {rate_hz, rate_hz + 1}
        assert abs(sum(rows) - 2 * rate_hz) <= 1
        assert rows[0] >= 1
        assert max(rows) - min(rows) <= 1


def test_journal_drops_the_oldest_and_ignores_updates_of_them() -> None:
    journal = Journal(4)
    for i in range(6):
        journal.add(samples_at([10 * i]), 10 * i, i)
    journal.set_written(0, Written(77))
    journal.set_written(5, Written(88))
    journal.set_written(5, Written(99, intact=True))
    assert journal.since(0)["number"].tolist() == [2, 3, 4, 5]
    assert journal.since(0)["written_ns"].tolist() == [0, 0, 0, 88]
    assert journal.since(0)["intact"].tolist() == [False, False, False, True]
    assert journal.since(5)["time_ms"].tolist() == [50]
    assert journal.since(6).shape == (0,)

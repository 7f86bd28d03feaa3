from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from models.synthetic import MAX_MINUTES, session_users, synthesise, synthetic_blocks
from stinger.errors import InputError
from stinger.recording import Recording, split_recordings
from stinger.sample import CLOCK_WRAP_MS, SampleArray, axes
from stinger.shots import find_shots

SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def sessions() -> dict[int, Recording]:
    """Ten minutes under each of several seeds."""
    recordings = {}
    for seed in SEEDS:
        (recordings[seed],) = split_recordings(synthesise(minutes=10, seed=seed))
    return recordings


def first_samples(count: int, block_samples: int) -> SampleArray:
    blocks = synthetic_blocks(seed=4, users=2, block_samples=block_samples)
    return np.concatenate(list(islice(blocks, -(-count // block_samples))))[:count]


def test_same_arguments_give_the_same_bytes() -> None:
    one, other = (synthesise(minutes=2, seed=3, users=2, boots=2) for _ in range(2))
    assert one.tobytes() == other.tobytes()


def test_other_seed_is_another_session_by_another_user() -> None:
    assert synthesise(minutes=0.5, seed=1).tobytes() != synthesise(minutes=0.5, seed=2).tobytes()
    assert session_users(1) != session_users(2)


def test_user_who_is_named_does_something_else_under_every_seed() -> None:
    one, other = (synthesise(minutes=0.5, seed=seed, first_user=7) for seed in (1, 2))
    assert one.tobytes() != other.tobytes()


def test_users_take_turns_from_the_first_one_on() -> None:
    assert list(session_users(1, 3, 10)) == [10, 11, 12]
    alone = synthesise(minutes=4, seed=1, first_user=10)
    together = synthesise(minutes=4, seed=1, users=2, first_user=10)
    differ = np.flatnonzero(alone[: together.shape[0]] != together[: alone.shape[0]])
    assert 2000 < differ[0] < 9000  # the first round is the first user's


def test_longer_session_begins_with_the_shorter_one() -> None:
    short, long = synthesise(minutes=1, seed=5), synthesise(minutes=3, seed=5)
    assert long[: short.shape[0]].tobytes() == short.tobytes()


@pytest.mark.parametrize("block_samples", [1, 7, 100, 5000, 20_000])
def test_endless_stream_is_the_session_however_long_its_blocks(block_samples: int) -> None:
    whole = synthesise(minutes=4, seed=4, users=2)
    count = whole.shape[0] if block_samples >= 7 else 500
    assert first_samples(count, block_samples).tobytes() == whole[:count].tobytes()


def test_blocks_of_the_stream_are_all_of_the_length_asked_for() -> None:
    assert {block.shape for block in islice(synthetic_blocks(seed=1, block_samples=333), 60)} == {(333,)}


def test_session_lasts_as_long_as_asked_by_its_own_clock(sessions: dict[int, Recording]) -> None:
    for recording in sessions.values():
        # A pause of the logger may stand at the end.
        assert 9.8 * 60_000 < recording.duration_ms <= 10 * 60_000
        assert recording.time_ms[0] == 0
        assert recording.step_ms == 10


def test_logger_pauses_where_the_blaster_lies_still(sessions: dict[int, Recording]) -> None:
    for recording in sessions.values():
        gaps = recording.gaps()
        assert gaps.size >= 4
        for gap in gaps.tolist():
            before = recording.axes[gap - 100 : gap, 3:].astype(float)
            assert np.sqrt((before**2).sum(axis=1).mean()) < 60


def test_no_still_pause_leaves_no_gap_and_the_rest_as_it_is() -> None:
    paused, whole = (synthesise(minutes=3, seed=1, still_pause=pause) for pause in (True, False))
    assert np.unique(np.diff(whole["timestamp_ms"])).tolist() == [10]
    assert whole.shape[0] == 18_000
    kept = np.isin(whole["timestamp_ms"], paused["timestamp_ms"])
    assert whole[kept].tobytes() == paused.tobytes()


def test_boots_are_recordings_of_equal_length_whose_clocks_start_over() -> None:
    recordings = split_recordings(synthesise(minutes=3, seed=1, boots=3, still_pause=False))
    assert [len(recording) for recording in recordings] == [6000, 6000, 6000]
    assert len({recording.axes.tobytes() for recording in recordings}) == 3


def test_later_boot_streams_on_its_own() -> None:
    second = split_recordings(synthesise(minutes=1, seed=1, boots=2, still_pause=False))[1]
    block = next(synthetic_blocks(seed=1, boot=1, still_pause=False, block_samples=3000))
    assert block.tobytes() == second.samples.tobytes()


def test_shots_come_at_a_plausible_rate_and_bursts_give_rejected_edges(sessions: dict[int, Recording]) -> None:
    for recording in sessions.values():
        accepted = find_shots(recording).accepted
        assert 5 < accepted.sum() / 10 < 25
        assert 0.03 < 1 - accepted.mean() < 0.4


def test_recoil_saturates_the_accelerometer_now_and_then() -> None:
    samples = synthesise(minutes=60, seed=1, users=5)
    (recording,) = split_recordings(samples)
    shots = find_shots(recording).index
    largest = np.abs(axes(samples)[:, :3].astype(int)).max(axis=1)
    after = np.array([largest[shot : shot + 25].max() for shot in shots])
    assert 4_000 < np.median(after) < 25_000
    assert 0.002 < (after >= 32_767).mean() < 0.15


def test_channels_move_as_much_as_on_a_real_blaster() -> None:
    # Averages over the windows of a real session, in LSB; synthetic ones are to be within a factor of two.
    deviation, largest = [], []
    for seed in range(1, 7):
        (recording,) = split_recordings(synthesise(minutes=4, seed=seed))
        windows = np.lib.stride_tricks.sliding_window_view(recording.axes, 50, axis=0)[::10].astype(float)
        deviation.append(windows.std(axis=2).mean(axis=0))
        largest.append(np.abs(windows).max(axis=2).mean(axis=0))
    for measured, real in (
        (np.mean(deviation, axis=0), [455, 596, 485, 876, 1079, 798]),
        (np.mean(largest, axis=0), [1684, 2881, 1863, 2374, 2966, 2155]),
    ):
        ratio = measured / real
        assert (ratio > 0.5).all(), ratio
        assert (ratio < 2).all(), ratio


def test_clock_of_the_stream_wraps_as_that_of_a_blaster() -> None:
    block = next(synthetic_blocks(seed=1, block_samples=2000, still_pause=False, start_ms=CLOCK_WRAP_MS - 10_000))
    steps = np.diff(block["timestamp_ms"].astype(np.int64))
    assert np.flatnonzero(steps < 0).tolist() == [999]
    assert block["timestamp_ms"][1000] == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"minutes": 0}, "0 minutes"),
        ({"minutes": float("nan")}, "nan minutes"),
        ({"minutes": MAX_MINUTES + 1}, "at most 1440"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 2**32}, "seed"),
        ({"users": 0}, "0 users"),
        ({"first_user": -1}, "user -1"),
        ({"boots": 0}, "0 boots"),
    ],
)
def test_value_that_means_nothing_is_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        synthesise(**({"minutes": 1, "seed": 1} | wrong))  # type: ignore[arg-type]  # wrong values are the point


@pytest.mark.parametrize(("block_samples", "boot", "seed"), [(0, 0, 1), (1, -1, 1), (1, 0, -1)])
def test_stream_refuses_before_its_first_block(block_samples: int, boot: int, seed: int) -> None:
    with pytest.raises(InputError):
        synthetic_blocks(seed=seed, block_samples=block_samples, boot=boot)

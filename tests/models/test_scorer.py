from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.factory import factory_model
from models.scorer import Scorer, score_recording
from models.synthetic import synthesise
from stinger.recording import split_recordings
from stinger.sample import CLOCK_WRAP_MS, SampleArray
from tests.helpers.samples import samples_at


class Signature:
    """A model whose output depends on every sample of the window: the sum of the products of position and value."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor
        self.runs: list[int] = []

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        assert windows.dtype == np.int16
        assert windows.shape[1:] == (50, 6)
        self.runs.append(windows.shape[0])
        weights = np.arange(1, 301).reshape(50, 6)
        sums: npt.NDArray[np.float32] = ((windows * weights).sum(axis=(1, 2)) * self.factor).astype(np.float32)
        return sums


def moving(times_ms: npt.ArrayLike, *, seed: int = 1) -> SampleArray:
    times = np.asarray(times_ms)
    return samples_at(times, channels=np.random.default_rng(seed).integers(-100, 100, (times.size, 6)))


def one_by_one(samples: SampleArray, *, gap_ms: int = 50) -> npt.NDArray[np.float32]:
    """What the scorer must say, by its description: a list of the last 50, emptied at a gap or a jump back."""
    window: list[list[int]] = []
    last: int | None = None
    out = []
    for record in samples.tolist():
        if last is not None and (record[0] - last) % CLOCK_WRAP_MS > gap_ms:
            window = []
        last = record[0]
        window = [*window, record[1:7]][-50:]
        full = np.array([window], dtype=np.int16)
        out.append(Signature().probability(full)[0] if len(window) == 50 else np.nan)
    return np.array(out, dtype=np.float32)


TIMES = st.lists(
    st.sampled_from([10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 0, 50, 51, 900, -700]), min_size=1, max_size=260
)


@given(steps=TIMES, cuts=st.lists(st.integers(0, 260), max_size=12))
def test_any_cutting_into_blocks_gives_what_going_sample_by_sample_gives(steps: list[int], cuts: list[int]) -> None:
    samples = moving(np.cumsum(steps) + 1_000_000)
    scorer = Scorer(Signature())
    pieces = np.split(samples, sorted(cuts))
    got = np.concatenate([scorer.push("a", piece).probability for piece in pieces])
    np.testing.assert_array_equal(got, one_by_one(samples))


@given(
    lengths=st.lists(st.lists(st.integers(0, 70), min_size=3, max_size=3), min_size=1, max_size=6),
    steps=st.lists(TIMES, min_size=3, max_size=3),
)
def test_many_devices_in_one_call_are_scored_as_if_each_were_alone(
    lengths: list[list[int]], steps: list[list[int]]
) -> None:
    devices = {
        name: moving(np.cumsum(times) + 1_000_000, seed=i)
        for i, (name, times) in enumerate(zip("abc", steps, strict=True))
    }
    scorer = Scorer(Signature())
    got: dict[str, list[npt.NDArray[np.float32]]] = {name: [] for name in devices}
    sent = dict.fromkeys(devices, 0)
    for call in lengths:
        blocks = []
        for name, length in zip(devices, call, strict=True):
            blocks.append((name, devices[name][sent[name] : sent[name] + length]))
            sent[name] += length
        scores = scorer.push_blocks(blocks)
        for i, (name, block) in enumerate(blocks):
            assert scores.block(i).size == block.size
            got[name].append(scores.block(i))
    for name, samples in devices.items():
        np.testing.assert_array_equal(np.concatenate(got[name]), one_by_one(samples[: sent[name]]))


def test_first_score_comes_with_the_fiftieth_sample() -> None:
    probability = Scorer(Signature()).push("a", moving(np.arange(60) * 10)).probability
    assert np.flatnonzero(~np.isnan(probability)).tolist() == list(range(49, 60))


@pytest.mark.parametrize("one_at_a_time", [False, True])
@pytest.mark.parametrize(("step", "resets"), [(50, []), (51, [60]), (-10, [60]), (0, [])])
def test_window_is_emptied_and_reported_as_reset_at_a_gap_or_a_jump_back(
    step: int, resets: list[int], one_at_a_time: bool
) -> None:
    samples = moving(np.concatenate([np.arange(60) * 10, 590 + step + np.arange(60) * 10]))
    scorer = Scorer(Signature())
    if one_at_a_time:
        found = [i for i in range(120) if scorer.push("a", samples[i : i + 1]).resets.size]
    else:
        found = scorer.push("a", samples).resets.tolist()
    assert found == resets


def test_wrap_of_the_clock_is_no_gap() -> None:
    samples = moving((CLOCK_WRAP_MS - 300 + np.arange(80) * 10) % CLOCK_WRAP_MS)
    scores = Scorer(Signature()).push("a", samples)
    assert scores.resets.size == 0
    assert np.count_nonzero(~np.isnan(scores.probability)) == 31


def test_first_sample_of_a_device_is_no_reset_however_late_it_is() -> None:
    assert Scorer(Signature()).push("a", moving([5_000_000])).resets.size == 0
    assert Scorer(Signature()).push("a", moving([5_000_000, 5_000_010])).resets.size == 0


def test_swapping_the_model_keeps_the_windows() -> None:
    samples = moving(np.arange(70) * 10)
    scorer = Scorer(Signature())
    scorer.push("a", samples[:60])
    scorer.model = Signature(factor=2.0)
    np.testing.assert_array_equal(scorer.push("a", samples[60:]).probability, 2 * one_by_one(samples)[60:])


def test_forgotten_device_starts_over_and_its_place_is_used_again() -> None:
    scorer = Scorer(Signature())
    samples = moving(np.arange(60) * 10)
    for i in range(40):
        scorer.push(f"device {i}", samples)
        scorer.forget(f"device {i}")
    assert np.isnan(scorer.push("device 0", samples[:49]).probability).all()
    assert scorer._filled.size <= 16


def test_more_devices_than_there_was_room_for_keep_their_windows() -> None:
    samples = moving(np.arange(60) * 10)
    scorer = Scorer(Signature())
    for i in range(40):
        scorer.push(str(i), samples[:59])
    for i in range(40):
        assert scorer.push(str(i), samples[59:]).probability == one_by_one(samples)[59:]


def test_devices_that_wait_together_are_scored_in_one_run() -> None:
    model = Signature()
    scorer = Scorer(model)
    samples = moving(np.arange(51) * 10)
    scorer.push_blocks([(str(i), samples[:50]) for i in range(20)])
    model.runs.clear()
    scorer.push_blocks([(str(i), samples[50:]) for i in range(20)])
    assert model.runs == [20]


def test_no_samples_give_no_scores() -> None:
    scorer = Scorer(Signature())
    assert scorer.push("a", moving([])).probability.size == 0
    assert scorer.push_blocks([]).probability.size == 0


def test_device_named_twice_in_a_call_is_refused() -> None:
    with pytest.raises(ValueError, match="two blocks"):
        Scorer(Signature()).push_blocks([("a", moving([1])), ("a", moving([2]))])


def test_recording_is_scored_with_a_value_for_each_sample() -> None:
    samples = moving(np.concatenate([np.arange(80), np.arange(100, 180)]) * 10)
    (recording,) = split_recordings(samples)
    np.testing.assert_array_equal(score_recording(Signature(), recording), one_by_one(samples))


def test_blocks_may_be_every_so_many_samples_of_an_array() -> None:
    samples = synthesise(minutes=0.1, seed=4, still_pause=False)
    thinned = np.repeat(samples, 3)[::3]
    apart, together = Scorer(factory_model()), Scorer(factory_model())
    expected = apart.push("a", samples).probability
    scores = together.push_blocks([("a", thinned), ("b", samples)])
    assert np.array_equal(scores.block(0), expected, equal_nan=True)
    assert np.array_equal(scores.block(1), expected, equal_nan=True)

"""Blocks that are scored together, most of them without events, give what each device gives alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from service.base.source import Block
from service.daemon.pipeline import Pipeline
from stinger.device_name import DeviceName
from stinger.sample import SampleArray
from tests.helpers.samples import samples_at
from tests.service.daemon.fakes import FakeModel, KeepingSink, serving

MS = 1_000_000


class Wavering(FakeModel):
    """A model whose probability depends on the window: a level that moves slowly, near the thresholds at times."""

    def probability(self, windows: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
        return (np.abs(windows[:, -1, 0]) / 1000).astype(np.float32)


def pipeline() -> tuple[Pipeline, KeepingSink]:
    made, sink = Pipeline(serving(Wavering()), min_shot_gap_ms=1000), KeepingSink()
    made.subscribe(sink)
    return made, sink


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_devices_that_are_scored_together_have_the_events_and_scores_of_each_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [DeviceName(name) for name in "abcdef"]
    streams = {name: _wavering_samples(rng) for name in names}
    together, kept = pipeline()
    apart = {name: pipeline() for name in names}
    at = dict.fromkeys(names, 0)
    for _ in range(12):
        blocks = []
        for i in rng.permutation(len(names))[: rng.integers(1, len(names) + 1)].tolist():
            first = at[names[i]]
            at[names[i]] = end = first + int(rng.choice([1, 3, 20, 60]))
            blocks.append(_block_of(names[i], streams[names[i]][first:end]))
        together.score(blocks)
        for block in blocks:
            apart[block.device][0].score([block])
    for name in names:
        _, alone = apart[name]
        assert [event for event in kept.events if event.device == name] == alone.events
        scores = [part for block, part in zip(kept.blocks, kept.probability, strict=True) if block.device == name]
        for part, expected in zip(scores, alone.probability, strict=True):
            np.testing.assert_array_equal(part, expected)


def _wavering_samples(rng: np.random.Generator) -> SampleArray:
    """Return samples with slow changes of level, a few trigger pulls, gaps and one step back in time."""
    count = 12 * 60
    level = np.interp(
        np.arange(count), np.arange(0, count + 40, 40), rng.choice([0, 200, 240, 260, 480, 520, 900], count // 40 + 1)
    )
    channels = np.zeros((count, 6))
    channels[:, 0] = level
    steps_ms = rng.choice([10, 10, 10, 10, 10, 10, 10, 10, 10, 40, 300], count)
    steps_ms[rng.random(count) < 0.9] = 10
    time_ms = 5000 + np.cumsum(steps_ms)
    back = int(rng.integers(200, 600))
    time_ms[back:] -= 3000
    return samples_at(time_ms, channels=channels, trigger=rng.random(count) < 0.01)


def _block_of(device: DeviceName, samples: SampleArray) -> Block:
    """Return a block of ``samples``; one whose time goes back is cut off there, as a block's time never decreases."""
    time_ms = samples["timestamp_ms"].astype(np.int64)
    back = np.flatnonzero(np.diff(time_ms) < 0)
    samples = samples[: back[0] + 1] if back.size else samples
    taken_ns = samples["timestamp_ms"].astype(np.float64) * MS
    return Block(device, samples, taken_ns, 1_700_000_000.0, int(taken_ns[-1]), 1_700_000_000_000)

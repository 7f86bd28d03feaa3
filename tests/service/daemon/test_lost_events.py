"""Events that are found again in the samples of a killed daemon are those that it had."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.choice import ChosenModel
from models.factory import factory_model
from models.scorer import Scorer
from models.synthetic import synthesise
from service.base.events import Event, Shot, WheelsSwitched
from service.base.source import Block
from service.daemon.event_detector import EventDetector
from service.daemon.lost_events import TAIL_SAMPLES, events_at_end
from stinger.device_name import DeviceName
from stinger.sample import SampleArray

DEVICE = DeviceName("b1")
ZERO_MS = 1_700_000_000_000
SERVING = ChosenModel(factory_model(), "factory")
DECISION = SERVING.model.meta.decision
SAMPLES = synthesise(minutes=2.0, seed=5, still_pause=False)


def live_events(samples: SampleArray, *, size: int) -> list[Event]:
    """The events of ``samples`` in blocks of ``size``, as the pipeline detects them."""
    detector = EventDetector(DEVICE, "factory", DECISION, min_shot_gap_ms=1000)
    scorer, events = Scorer(SERVING.model), []
    for first in range(0, samples.size, size):
        part = samples[first : first + size]
        taken_ns = part["timestamp_ms"].astype(np.float64) * 1e6
        block = Block(DEVICE, part, taken_ns, ZERO_MS / 1000, 0, ZERO_MS)
        events += detector.push(block, scorer.push(DEVICE, part).probability)
    return events


def found_again(samples: SampleArray) -> list[Event]:
    return events_at_end(samples, DEVICE, ZERO_MS, SERVING, DECISION, min_shot_gap_ms=1000)


def described(event: Event) -> tuple[object, ...]:
    values = [getattr(event, name) for name in event.__dataclass_fields__ if name != "host_s"]
    return (*(round(value, 3) if isinstance(value, float) else value for value in values),)


@given(end=st.integers(1, SAMPLES.size), size=st.sampled_from([1, 7, 20, 500]))
def test_events_of_the_last_samples_are_found_with_their_ids(end: int, size: int) -> None:
    samples = SAMPLES[:end]
    first_ms = int(samples["timestamp_ms"][-TAIL_SAMPLES:][0])
    live = [event for event in live_events(samples, size=size) if event.device_ms >= first_ms]
    found = found_again(samples)
    closing = [event for event in found if event.id not in {one.id for one in live}]
    assert {described(event) for event in live} <= {described(event) for event in found}
    assert all(isinstance(event, WheelsSwitched) and not event.on for event in closing if event.device_ms >= first_ms)
    assert len(closing) <= 2  # wheels that were on, and a false spin-up that began before


def test_only_the_last_samples_are_searched_however_long_the_recording_is() -> None:
    shots = [event for event in found_again(SAMPLES) if isinstance(event, Shot)]
    assert shots
    assert min(shot.device_ms for shot in shots) >= int(SAMPLES["timestamp_ms"][-TAIL_SAMPLES])


def test_shots_are_found_without_scores_where_the_rate_is_not_that_of_models() -> None:
    slow = SAMPLES[::2]
    found = found_again(slow)
    assert found
    assert all(isinstance(event, Shot) and event.lead_ms is None for event in found)


@pytest.mark.parametrize("count", [1, 2, 49, 50, 51])
def test_few_samples_are_no_problem(count: int) -> None:
    assert found_again(SAMPLES[:count]) == []

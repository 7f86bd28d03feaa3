from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.decision import Decision
from models.decision_parameters import DecisionParameters
from service.base.events import Event, FalseSpinUp, Shot, WheelsSwitched, event_id
from service.base.source import Block
from service.daemon.event_detector import EventDetector
from stinger.device_name import DeviceName
from stinger.recording import split_recordings
from stinger.sample import SampleArray
from stinger.shots import find_shots
from tests.helpers.samples import samples_at

HOST_S = 1_700_000_000.0
MS = 1_000_000


def detector() -> EventDetector:
    return EventDetector(DeviceName("a"), "m", DecisionParameters(), min_shot_gap_ms=1000)


def push(target: EventDetector, samples: SampleArray, probability: npt.ArrayLike) -> list[Event]:
    taken_ns = samples["timestamp_ms"].astype(np.float64) * MS
    block = Block(target.device, samples, taken_ns, HOST_S, int(taken_ns[-1]), int(HOST_S * 1000))
    return target.push(block, np.asarray(probability, dtype=np.float32))


def played(probability: npt.ArrayLike, *, shots: tuple[int, ...] = (), step_ms: int = 10) -> list[Event]:
    values = np.asarray(probability, dtype=np.float32)
    trigger = np.zeros(values.size)
    trigger[list(shots)] = 1
    return push(detector(), samples_at(np.arange(values.size) * step_ms, trigger=trigger), values)


def test_shot_with_wheels_on_carries_its_lead_and_peak() -> None:
    events = played(np.r_[np.zeros(10), np.full(40, 0.9)], shots=(45,))
    on, shot = events
    assert isinstance(on, WheelsSwitched)
    assert isinstance(shot, Shot)
    assert on.on
    assert shot.wheels_on
    assert shot.lead_ms == shot.device_ms - on.device_ms == 450 - on.device_ms
    assert shot.peak_probability == pytest.approx(0.9)
    assert shot.host_s == pytest.approx(HOST_S + 0.45)
    assert shot.accepted


def test_shot_with_wheels_off_has_no_lead() -> None:
    (shot,) = played(np.zeros(60), shots=(50,))
    assert isinstance(shot, Shot)
    assert (shot.wheels_on, shot.lead_ms) == (False, None)


def test_burst_is_a_shot_that_is_not_accepted() -> None:
    shots = [event for event in played(np.zeros(300), shots=(50, 80, 200)) if isinstance(event, Shot)]
    assert [shot.accepted for shot in shots] == [True, False, True]


def test_spin_up_without_a_shot_ends_as_a_false_spin_up() -> None:
    on, off, false = played(np.r_[np.full(20, 0.9), np.zeros(100)])
    assert isinstance(on, WheelsSwitched)
    assert isinstance(off, WheelsSwitched)
    assert isinstance(false, FalseSpinUp)
    assert (on.on, off.on, off.with_shot) == (True, False, False)
    assert false.device_ms == on.device_ms
    assert false.duration_ms == off.duration_ms == off.device_ms - on.device_ms
    assert false.peak_probability == pytest.approx(0.9)


def test_spin_up_with_a_shot_is_not_false() -> None:
    events = played(np.r_[np.full(20, 0.9), np.zeros(100)], shots=(15,))
    assert [type(event).__name__ for event in events] == ["WheelsSwitched", "Shot", "WheelsSwitched"]
    assert isinstance(events[-1], WheelsSwitched)
    assert events[-1].with_shot is True


def test_wheels_go_off_after_the_last_score_is_too_old() -> None:
    target = detector()
    push(target, samples_at(np.arange(20) * 10), np.full(20, 0.9))
    assert target.wheels_on
    assert target.tick((190 + 200) * MS) == []
    off, false = target.tick((190 + 300) * MS)
    assert isinstance(off, WheelsSwitched)
    assert isinstance(false, FalseSpinUp)
    assert off.device_ms == 190 + 250
    assert off.probability is None
    assert not target.wheels_on


def test_restart_ends_the_spin_up_and_forgets_the_trigger() -> None:
    target = detector()
    push(target, samples_at(np.arange(20) * 10, trigger=np.r_[np.zeros(19), 1]), np.full(20, 0.9))
    off = target.restart()[0]
    assert isinstance(off, WheelsSwitched)
    assert (off.on, off.with_shot) == (False, True)
    assert push(target, samples_at([5, 15], trigger=[1, 1]), [np.nan, np.nan]) == []


def test_clock_that_jumps_back_is_a_restart() -> None:
    target = detector()
    push(target, samples_at(1000 + np.arange(20) * 10), np.full(20, 0.9))
    events = push(target, samples_at([5]), [np.nan])
    assert [type(event).__name__ for event in events] == ["WheelsSwitched", "FalseSpinUp"]


def test_trigger_that_is_down_at_the_first_sample_is_no_shot() -> None:
    assert played([np.nan, np.nan], shots=(0, 1)) == []


def test_model_and_threshold_may_change_between_blocks() -> None:
    target = detector()
    target.model = "other"
    target.parameters = DecisionParameters(on=0.95)
    assert push(target, samples_at(np.arange(20) * 10), np.full(20, 0.9)) == []
    (shot,) = push(target, samples_at([200], trigger=[1]), [0.9])
    assert shot.model == "other"


@given(
    values=st.lists(st.sampled_from([0.0, 0.2, 0.6, 0.95, np.nan]), min_size=1, max_size=150),
    trigger=st.lists(st.booleans(), min_size=150, max_size=150),
    cuts=st.lists(st.integers(0, 150), max_size=8),
)
def test_events_do_not_depend_on_how_blocks_are_cut(values: list[float], trigger: list[bool], cuts: list[int]) -> None:
    samples = samples_at(np.arange(len(values)) * 10, trigger=np.array(trigger[: len(values)]))
    probability = np.array(values, dtype=np.float32)
    whole, parts = detector(), detector()
    expected = push(whole, samples, probability)
    got: list[Event] = []
    for part, scores in zip(np.split(samples, sorted(cuts)), np.split(probability, sorted(cuts)), strict=True):
        if part.size:
            got += push(parts, part, scores)
    assert [_without_id(event) for event in got] == [_without_id(event) for event in expected]


@given(
    values=st.lists(st.sampled_from([0.0, 0.6, 0.95, np.nan]), min_size=1, max_size=150),
    trigger=st.lists(st.booleans(), min_size=150, max_size=150),
    steps_ms=st.lists(st.sampled_from([10, 10, 10, 40, 300, -500]), min_size=150, max_size=150),
)
def test_samples_pushed_one_by_one_have_the_events_of_a_block(
    values: list[float], trigger: list[bool], steps_ms: list[int]
) -> None:
    time_ms = 60_000 + np.cumsum(steps_ms[: len(values)])
    samples = samples_at(time_ms, trigger=np.array(trigger[: len(values)]))
    probability = np.array(values, dtype=np.float32)
    back = np.flatnonzero(np.diff(time_ms) < 0) + 1  # time does not decrease within a block
    blocks, singles = detector(), detector()
    expected = [
        event
        for part, scores in zip(np.split(samples, back), np.split(probability, back), strict=True)
        for event in push(blocks, part, scores)
    ]
    got = [event for i in range(len(values)) for event in push(singles, samples[i : i + 1], probability[i : i + 1])]
    assert [_comparable(event) for event in got] == [_comparable(event) for event in expected]


@given(
    values=st.lists(st.floats(0, 1, width=32), min_size=2, max_size=150),
    trigger=st.lists(st.booleans(), min_size=150, max_size=150),
)
def test_events_are_the_shots_of_a_recording_and_the_switches_of_the_decision(
    values: list[float], trigger: list[bool]
) -> None:
    samples = samples_at(np.arange(len(values)) * 10, trigger=np.array(trigger[: len(values)]))
    probability = np.array(values, dtype=np.float32)
    events = push(detector(), samples, probability)
    (recording,) = split_recordings(samples)
    shots = find_shots(recording)
    found = [event for event in events if isinstance(event, Shot)]
    assert [shot.device_ms for shot in found] == shots.time_ms.tolist()
    assert [shot.accepted for shot in found] == shots.accepted.tolist()
    switches = Decision().push(recording.time_ms, probability).switches
    spun = [(event.device_ms, event.on) for event in events if isinstance(event, WheelsSwitched)]
    assert spun == [(switch.time_ms, switch.on) for switch in switches]


def _without_id(event: Event) -> tuple[object, ...]:
    return tuple(getattr(event, name) for name in event.__dataclass_fields__ if name != "id")


def _comparable(event: Event) -> tuple[object, ...]:
    """All but the id, with the time on the host to the millisecond."""
    return tuple(
        round(value, 3) if name == "host_s" else value
        for name in event.__dataclass_fields__
        if (value := getattr(event, name)) is not None and name != "id"
    )


def test_ids_are_those_of_the_event_in_its_boot_and_sort_by_time() -> None:
    values, shots = np.r_[np.zeros(10), np.full(40, 0.9), np.zeros(150)], (45, 120)
    events, again = played(values, shots=shots), played(values, shots=shots)
    assert len({event.id for event in events}) == len(events) == 4
    assert [event.id for event in again] == [event.id for event in events]
    on, shot = events[:2]
    assert on.id < shot.id
    assert int(shot.id[:12], 16) == round(shot.host_s * 1000)


def test_same_event_of_another_boot_or_device_has_another_id() -> None:
    name = DeviceName("a")
    ids = {event_id("shot", name, 5, 100), event_id("shot", name, 6, 100), event_id("shot", DeviceName("b"), 5, 100)}
    assert len(ids | {event_id("shot", name, 5, 101), event_id("on", name, 5, 100)}) == 5


@given(
    st.lists(st.tuples(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=12), st.integers(0, 249)), max_size=30)
)
def test_ticks_while_samples_are_only_late_change_no_decision(blocks: list[tuple[list[float], int]]) -> None:
    ticked, plain = detector(), detector()
    events: list[list[Event]] = [[], []]
    first = 0
    for probability, late_ms in blocks:
        samples = samples_at((first + np.arange(len(probability))) * 10)
        events[0] += push(ticked, samples, probability)
        events[1] += push(plain, samples, probability)
        first += len(probability)
        events[0] += ticked.tick(int(samples["timestamp_ms"][-1] + late_ms) * MS)
    assert events[0] == events[1]

"""What the page knows from messages: scores with their envelope, events, and nothing from messages that make no sense."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.decision import Decision
from service.web.daemon_state import DaemonState
from service.web.score_history import LOOK_BACK_S, POINT, ScoreHistory
from stinger.device_name import DeviceName

B1 = DeviceName("b1")
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
NAMES = "state reason time accepted lead_ms device_ms model threshold first_device_ms period_ms probabilities wheels_on alarm"


def feed(state: DaemonState, kind: str, **content: Any) -> None:
    state.feed(f"stinger/b1/{kind}", json.dumps(content).encode())


def points(history: ScoreHistory, position: int = 0) -> np.ndarray[Any, Any]:
    return np.frombuffer(history.since(position), POINT)


@given(
    kind=st.sampled_from(["shot", "spinup", "false_spinup", "link", "model", "telemetry", "scores", "status", "x"]),
    device=st.sampled_from(["b1", "daemon", "", "a b", "+"]),
    content=st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES.split(), ANY_JSON)) | ANY_JSON,
)
def test_no_message_is_an_error(kind: str, device: str, content: Any) -> None:
    state = DaemonState()
    state.feed(f"stinger/{device}/{kind}", json.dumps(content).encode(errors="replace"))
    assert set(state.devices) <= {B1}


def test_the_envelope_is_the_decisions() -> None:
    scores = np.random.default_rng(1).random(500)
    state = DaemonState()
    for start in range(0, 500, 7):
        block = scores[start : start + 7].tolist()
        feed(state, "scores", first_device_ms=1000 + 10 * start, period_ms=10, probabilities=block)
    expected = Decision().push(1000 + 10 * np.arange(500), scores).envelope
    assert np.allclose(points(state.devices[B1].scores)["envelope"], expected, atol=1e-6)


def test_only_new_points_are_returned_and_the_oldest_are_dropped() -> None:
    history = ScoreHistory()
    history.add(0, 10, [0.25] * 40_000)
    history.add(400_000, 10, [0.5, None])
    assert history.count == len(points(history, history.count - 2)) + LOOK_BACK_S * 100
    newest = points(history, history.count - 2)
    assert newest["time_ms"].tolist() == [400_000, 400_010]
    assert np.isnan(newest["probability"][1])
    assert len(points(history)) == LOOK_BACK_S * 100


def test_a_step_back_in_time_is_another_boot() -> None:
    history = ScoreHistory()
    history.add(5_000, 10, [0.5, 0.5])
    history.add(0, 10, [0.1])
    assert (history.boot, history.count) == (1, 1)
    assert points(history)["time_ms"].tolist() == [0]


def test_shots_count_as_in_time_if_the_wheels_were_on_for_long_enough() -> None:
    state = DaemonState()
    for lead_ms in (None, 99.9, 100.0, 500.0):
        feed(state, "shot", accepted=True, lead_ms=lead_ms, device_ms=1)
    feed(state, "shot", accepted=False, lead_ms=600.0, device_ms=2)
    device = state.devices[B1]
    assert (device.shots, device.in_time) == (4, 2)
    assert [mark.kind for mark in device.marks_since(0)] == ["late", "late", "in time", "in time", "burst"]
    assert [mark.kind for mark in device.marks_since(4)] == ["burst"]
    assert device.marks_since(5) == []


def test_links_are_unknown_while_the_daemon_is_offline_until_something_arrives() -> None:
    state = DaemonState()
    state.feed("stinger/b1/link", b'{"state": "streaming"}')
    feed(state, "telemetry", rate_hz=100.0, wheels_on=True)
    state.feed("stinger/gone/link", b'{"state": "lost"}')
    state.feed("stinger/daemon/status", b'{"state": "offline"}')
    device = state.devices[B1]
    assert (device.link, device.wheels_on, device.telemetry.number("rate_hz")) == ("unknown", False, None)
    assert state.devices[DeviceName("gone")].link == "lost"
    feed(state, "telemetry", rate_hz=100.0)
    assert device.link == "streaming"

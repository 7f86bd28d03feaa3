from __future__ import annotations

import time

import pytest

from service.ops.health import HELD_UP_S, Condition


def test_daemon_is_ready_once_it_says_so_and_while_its_loop_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    state = Condition()
    assert state.unready() == "starting or stopping"
    state.ready = True
    assert state.unready() == ""
    now_s += HELD_UP_S + 1
    assert state.unready() == "held up for 6 s"
    state.turned()
    assert state.unready() == ""
    state.ready = False
    assert state.unready() == "starting or stopping"


def test_alarm_stands_until_it_is_told_as_empty() -> None:
    state = Condition()
    state.alarm("recorder", "disk full")
    state.alarm("model", "no model")
    assert state.alarms == "disk full; no model"
    state.alarm("recorder", "")
    assert (state.alarms, state.alarm_about("recorder"), state.alarm_about("model")) == ("no model", "", "no model")


def test_status_is_one_line_with_the_alarms_at_its_end() -> None:
    state = Condition()
    assert (
        state.status(streaming=1, devices=2, model="lr-3", connected=True)
        == "1 of 2 devices streaming, model lr-3, broker connected"
    )
    state.alarm("recorder", "disk full")
    assert state.status(streaming=0, devices=0, model="m", connected=False).endswith("broker away; ALARM: disk full")

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from service.watch.view import View
from tests.helpers.device_names import NAMES_TO_REFUSE


def fed(view: View, topic: str, **content: Any) -> str | None:
    return view.feed(f"stinger/{topic}", json.dumps(content).encode())


def drawn(view: View, width: int = 160) -> str:
    console = Console(width=width, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(view.picture(width))
    return captured.get()


def test_shot_is_a_line_with_its_lead_and_counts() -> None:
    view = View("t")
    line = fed(view, "a/shot", time="2026-01-01T12:00:01.500Z", accepted=True, lead_ms=140.0)
    assert line == "12:00:01.500 a: shot, wheels on for 140 ms"
    fed(view, "a/shot", time="2026-01-01T12:00:01.700Z", accepted=False, lead_ms=None)
    assert "1 +1" in drawn(view)
    assert "140" in drawn(view)


def test_a_false_spin_up_and_a_changed_link_are_lines_and_an_unchanged_link_is_not() -> None:
    view = View("t")
    assert fed(view, "a/link", state="lost", reason="unplugged") == "a: link lost, unplugged"
    assert fed(view, "a/link", state="lost", reason="unplugged") is None
    assert fed(view, "a/false_spinup", time="2026-01-01T12:00:01.500Z", duration_ms=512.4) == (
        "12:00:01.500 a: false spin-up of 512 ms"
    )


def test_the_state_of_the_daemon_is_a_line_once_and_its_alarm_each_time() -> None:
    view = View("t")
    assert fed(view, "daemon/status", state="online", version="1") == "daemon online, version 1"
    assert fed(view, "daemon/status", state="online", version="1") is None
    assert fed(view, "daemon/status", state="online", version="1", alarm="disk full") == (
        "daemon online, version 1, ALARM: disk full"
    )


def test_scores_are_drawn_as_bars_and_telemetry_as_numbers() -> None:
    view = View("t")
    fed(view, "a/scores", probabilities=[None, 0.1, 0.2, 1.0, 0.0] + [0.0] * 5 + [None] * 5)
    fed(view, "a/telemetry", probability=0.25, wheels_on=True, rate_hz=99.6, latency_p50_ms=0.74, latency_p99_ms=4.0)
    picture = drawn(view)
    assert "█ ·" in picture
    assert "● on" in picture
    assert "0.7 / 4.0" in picture


@pytest.mark.parametrize("width", [80, 110, 200])
def test_the_table_fits_the_terminal_with_nothing_cut(width: int) -> None:
    view = View("t")
    fed(view, "blaster-07/link", state="streaming")
    fed(view, "blaster-07/telemetry", probability=0.25, rate_hz=100, latency_p50_ms=1, latency_p99_ms=2)
    picture = drawn(view, width)
    assert all(len(line) <= width for line in picture.splitlines())
    assert "…" not in picture
    assert "blaster-07 streaming ○ off" in picture
    assert "1.0 / 2.0" in picture


def test_no_number_is_cut() -> None:
    view = View("t")
    fed(view, "demo/link", state="connecting")
    fed(view, "demo/telemetry", probability=0.25, rate_hz=100, latency_p50_ms=12.1, latency_p99_ms=1223.4)
    assert "12.1 / 1223\n" in drawn(view, 90).replace(" \n", "\n")
    assert "12.1" not in drawn(view, 76)


def test_the_last_columns_are_left_out_on_a_narrow_terminal() -> None:
    view = View("t")
    fed(view, "demo/telemetry", probability=0.25, rate_hz=100, latency_p50_ms=1, latency_p99_ms=2)
    picture = drawn(view, 66)
    assert "…" not in picture
    assert "1.0 / 2.0" not in picture


@given(
    st.text(max_size=40),
    st.binary(max_size=60)
    | st.builds(
        lambda x: json.dumps(x).encode(),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["state", "version", "alarm"]), inner)
            ),
            max_leaves=5,
        ),
    ),
)
def test_no_message_makes_the_view_fail(topic: str, payload: bytes) -> None:
    view = View("t")
    view.feed(topic, payload)
    view.feed("stinger/daemon/status", payload)
    drawn(view)


def test_a_lost_broker_is_shown_until_the_daemon_publishes_again() -> None:
    view = View("t")
    assert fed(view, "daemon/status", state="online", version="1") == "daemon online, version 1"
    assert view.lost("no broker at x") == "no broker at x"
    assert "no broker at x" in drawn(view)
    assert fed(view, "daemon/status", state="online", version="1") == "daemon online, version 1"
    assert "no broker" not in drawn(view)


@pytest.mark.parametrize("name", NAMES_TO_REFUSE)
def test_a_topic_with_a_name_that_no_device_can_have_is_ignored(name: str) -> None:
    view = View("t")
    if name != "daemon":
        assert fed(view, f"{name}/shot", accepted=True, lead_ms=None) is None
        assert "shot" not in drawn(view).replace("shots", "")

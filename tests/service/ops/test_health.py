from __future__ import annotations

from service.ops.health import MAX_STALL_S, Health


def test_daemon_is_ready_once_started_and_while_its_event_loop_runs() -> None:
    now_s = 100.0
    health = Health(clock_s=lambda: now_s)
    assert health.unready_reason() == "starting or stopping"
    health.ready = True
    assert health.unready_reason() == ""
    now_s += MAX_STALL_S + 1
    assert health.unready_reason() == "event loop stalled for 6 s"
    health.heartbeat()
    assert health.unready_reason() == ""
    health.ready = False
    assert health.unready_reason() == "starting or stopping"


def test_alarm_stands_until_it_is_cleared() -> None:
    health = Health()
    health.set_alarm("recorder", "disk full")
    health.set_alarm("model", "no model")
    assert health.alarms == "disk full; no model"
    health.set_alarm("recorder", "")
    assert (health.alarms, health.alarm_of("recorder"), health.alarm_of("model")) == ("no model", "", "no model")


def test_daemon_is_not_ready_while_there_is_an_alarm_that_it_cannot_work_with() -> None:
    health = Health()
    health.ready = True
    health.set_alarm("model", "no model")
    assert health.unready_reason() == ""
    health.set_alarm("disk_thread", "thread failed", unready=True)
    assert health.unready_reason() == "thread failed"
    health.set_alarm("disk_thread", "", unready=True)
    assert (health.unready_reason(), health.alarms) == ("", "no model")


def test_status_is_one_line_that_ends_with_the_alarms() -> None:
    health = Health()
    assert (
        health.status_line(streaming=1, devices=2, model="lr-3", connected=True)
        == "1 of 2 devices streaming, model lr-3, broker connected"
    )
    health.set_alarm("recorder", "disk full")
    line = health.status_line(streaming=0, devices=0, model="m", connected=False)
    assert line.endswith("broker away; ALARM: disk full")

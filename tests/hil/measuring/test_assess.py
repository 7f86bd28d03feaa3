"""Measurements and verdicts from observations."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hil.limits import Limit, Verdict
from hil.measuring.assess import assess
from hil.measuring.definitions import MEASUREMENTS, default_limits
from hil.measuring.observations import (
    DaemonObservations,
    DeviceObservations,
    InjectedFault,
    ReceivedMessage,
    ScenarioObservations,
)
from hil.measuring.verdict import verdict_of
from hil.record import ARRIVAL_JITTER_STAGE, Measurement
from tests.hil.measuring.journals import START_NS, journal, scores_of, shot


def observed(count: int = 300) -> ScenarioObservations:
    """Return the observations of a perfect daemon with a perfect stream."""
    entries = journal(count, triggers=(100, 250))
    messages = [
        ReceivedMessage(
            int(score["received_ns"]),
            "stinger/d0/scores",
            json.dumps(
                {
                    "first_device_ms": int(score["device_ms"]),
                    "period_ms": 10,
                    "probabilities": [None if np.isnan(score["probability"]) else float(score["probability"])],
                    "stamps": {name: int(score[name]) for name in ("read_ns", "scored_ns", "published_ns")},
                }
            ).encode(),
        )
        for score in scores_of(entries)
    ]
    messages += [
        shot(2000, 10**12),
        shot(3500, 10**12),
        state("d0/link", "streaming"),
        state("daemon/status", "offline"),
    ]
    return ScenarioObservations(
        began_ns=START_NS,
        devices=[
            DeviceObservations(
                "d0", entries, np.ascontiguousarray(entries["sample"]), metrics={"stinger_samples_lost_total": 0.0}
            )
        ],
        messages=messages,
        daemon=DaemonObservations(exit_code=0, stop_s=0.2, ready_s=0.5),
    )


def state(topic: str, name: str, at_ns: int = 10**12) -> ReceivedMessage:
    return ReceivedMessage(at_ns, f"stinger/{topic}", json.dumps({"state": name}).encode())


@pytest.mark.parametrize(
    ("topic", "name", "untrue"),
    [
        ("d0/link", "streaming", 0),
        ("d0/link", "silent", 1),
        ("d0/link", "lost", 1),
        ("daemon/status", "offline", 0),
        ("daemon/status", "online", 1),
    ],
)
def test_final_states_must_be_true(topic: str, name: str, untrue: int) -> None:
    seen = observed()
    assert assess(replace(seen, messages=[*seen.messages, state(topic, name)])).values["states_untrue"] == untrue


def test_final_link_of_a_device_without_a_journal_is_not_judged() -> None:
    seen = observed()
    unseen = replace(
        seen, devices=[replace(seen.devices[0], journal=None)], messages=[*seen.messages, state("d0/link", "lost")]
    )
    assert assess(unseen).values["states_untrue"] == 0


def test_link_lost_by_a_fault_at_the_very_end_is_not_judged() -> None:
    seen = observed()
    lost = replace(seen, messages=[*seen.messages, state("d0/link", "lost", 10**12 + 1)])
    unplugged = InjectedFault("unplug", "unplug", 10**12, 10**12 + 10**9)
    assert assess(lost).values["states_untrue"] == 1
    assert assess(replace(lost, faults=[unplugged])).values["states_untrue"] == 0


def test_contradictory_events_are_counted_and_the_first_are_named() -> None:
    on = {"id": "a", "device_ms": 1500, "state": "on"}
    seen = observed()
    found = assess(
        replace(
            seen, messages=[ReceivedMessage(START_NS, "stinger/d0/spinup", json.dumps(on).encode()), *seen.messages]
        )
    )
    assert found.values["events_contradictory"] == 3
    assert found.notes["events_contradictory"].startswith("d0: shot at 2000 ms: wheels_on is False; ")


def test_perfect_daemon_passes_every_default_limit() -> None:
    measurements = assess(observed()).measurements(default_limits(journal=True))
    assert [each.name for each in measurements if each.limit and each.verdict is not Verdict.PASS] == []
    assert verdict_of(measurements, 0.1) == (Verdict.PASS, "")


@pytest.mark.parametrize("exit_code", [1, -9])
def test_daemon_that_ended_by_an_error_or_a_signal_fails(exit_code: int) -> None:
    measurements = assess(replace(observed(), daemon=DaemonObservations(exit_code=exit_code, stop_s=0.2))).measurements(
        default_limits(journal=True)
    )
    assert [each.name for each in measurements if each.verdict is Verdict.FAIL] == ["exit_code"]


def test_measurement_without_a_value_is_unset_and_fails() -> None:
    seen = observed()
    unseen = replace(seen, devices=[replace(seen.devices[0], journal=None)])
    measurements = assess(unseen).measurements(default_limits(journal=True))
    lost = next(each for each in measurements if each.name == "shots_lost")
    assert (lost.value, lost.verdict) == (None, Verdict.UNSET)
    assert verdict_of(measurements, 0.1)[0] is Verdict.UNSET


def test_device_without_a_journal_is_judged_by_what_can_be_measured() -> None:
    seen = observed()
    unseen = replace(seen, devices=[replace(seen.devices[0], journal=None)])
    found = assess(unseen)
    measurements = found.measurements(default_limits(journal=False))
    assert verdict_of(measurements, 0.1)[0] is Verdict.PASS
    assert {"clock_drift_ppm", "arrival_jitter_p99_ms"} <= found.values.keys()
    assert [each.uncertainty_us for each in found.latencies if each.stage == ARRIVAL_JITTER_STAGE] == [1000]


def test_every_measurement_is_described() -> None:
    assert [name for name, kind in MEASUREMENTS.items() if not kind.description] == []
    assert assess(observed()).values.keys() <= MEASUREMENTS.keys()


def late(name: str, value: float, at_most: float) -> Measurement:
    return Measurement(name, MEASUREMENTS[name].unit, value, Limit(at_most=at_most))


@pytest.mark.parametrize(
    ("missed", "host_late_ms", "verdict"),
    [
        (late("event_latency_p99_ms", 30, 10), 0.2, Verdict.FAIL),
        (late("event_latency_p99_ms", 30, 10), 4.0, Verdict.INCONCLUSIVE),
        (late("event_latency_p99_ms", 90, 10), 4.0, Verdict.FAIL),
        (late("event_latency_p99_ms", 30, 10), None, Verdict.FAIL),
        (late("shots_lost", 1, 0), 4.0, Verdict.FAIL),
    ],
)
def test_only_limits_of_time_that_a_busy_machine_explains_are_inconclusive(
    missed: Measurement, host_late_ms: float | None, verdict: Verdict
) -> None:
    assert verdict_of([missed], host_late_ms)[0] is verdict


def test_more_delay_is_excused_with_many_devices() -> None:
    missed = late("event_latency_p99_ms", 1000, 100)
    assert verdict_of([missed], 4.0)[0] is Verdict.FAIL
    assert verdict_of([missed], 4.0, devices=50)[0] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("missed", "longest_ms", "verdict"),
    [
        (late("samples_lost", 41, 30), 300.0, Verdict.INCONCLUSIVE),
        (late("link_losses", 1, 0), 2000.0, Verdict.INCONCLUSIVE),
        (late("link_losses", 1, 0), 200.0, Verdict.FAIL),
        (late("link_losses", 1, 0), None, Verdict.FAIL),
        (late("samples_foreign", 1, 0), 2000.0, Verdict.FAIL),
        (late("disagreement", 0.1, 0.01), 2000.0, Verdict.FAIL),
        (Measurement("recovery_s", "s", None, Limit(at_most=3)), 2000.0, Verdict.INCONCLUSIVE),
        (Measurement("exit_code", "", 1, Limit(at_most=0)), 2000.0, Verdict.FAIL),
    ],
)
def test_after_a_standstill_what_depends_on_time_is_inconclusive_and_nothing_else(
    missed: Measurement, longest_ms: float | None, verdict: Verdict
) -> None:
    found, why = verdict_of([missed], 20.0, longest_late_ms=longest_ms)
    assert found is verdict
    assert ("stood still" in why) is (verdict is Verdict.INCONCLUSIVE)


def test_what_depends_on_time_is_inconclusive_if_the_daemon_waited_long_for_a_processor() -> None:
    missed = [late("samples_lost", 512, 0), late("event_latency_p99_ms", 642, 100)]
    assert verdict_of(missed, 0.5, daemon_waited_share=0.02)[0] is Verdict.FAIL
    found, why = verdict_of(missed, 0.5, daemon_waited_share=0.4)
    assert (found, "for 40 % of the time" in why) == (Verdict.INCONCLUSIVE, True)
    assert verdict_of([late("samples_foreign", 1, 0)], 0.5, daemon_waited_share=0.9)[0] is Verdict.FAIL


def test_a_limit_that_no_standstill_explains_fails_beside_one_that_it_does() -> None:
    missed = [late("link_losses", 1, 0), late("samples_foreign", 1, 0)]
    assert verdict_of(missed, 20.0, longest_late_ms=2000.0)[0] is Verdict.FAIL


def test_value_near_its_limit_is_marginal() -> None:
    near = Measurement("stop_s", "s", 2.5, Limit(at_most=3, marginal=1))
    assert verdict_of([near], None) == (Verdict.MARGINAL, "")


def test_a_99th_percentile_is_inconclusive_if_the_daemon_waited_for_one_part_in_a_hundred() -> None:
    assert verdict_of([late("sample_latency_p99_ms", 140, 10)], 0.5, daemon_waited_share=0.005)[0] is Verdict.FAIL
    assert (
        verdict_of([late("sample_latency_p99_ms", 140, 10)], 0.5, daemon_waited_share=0.02)[0] is Verdict.INCONCLUSIVE
    )
    assert verdict_of([late("sample_latency_p50_ms", 140, 10)], 0.5, daemon_waited_share=0.02)[0] is Verdict.FAIL

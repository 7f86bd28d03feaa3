"""Agreement of scores, latencies, clocks and recovery times."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.measuring.agreement import compare_scores, compare_wheels
from hil.measuring.clock_fit import fit_clock
from hil.measuring.delivery import Delivery
from hil.measuring.journal_lookup import JournalLookup
from hil.measuring.latency import SAMPLES, find_stage, histogram, sample_latencies, sample_times
from hil.measuring.messages import SCORE_DTYPE, parse_messages, parse_scores
from hil.measuring.observations import InjectedFault, ReceivedMessage
from hil.measuring.recovery import find_recoveries, model_switch_s
from tests.hil.measuring.journals import LATE_NS, START_NS, STEP_NS, journal, scores_of


def test_scores_are_parsed_from_blocks_with_their_stamps() -> None:
    stamps = {"read_ns": 1, "scored_ns": 2, "published_ns": 3}
    content = {"first_device_ms": 100, "period_ms": 10, "probabilities": [0.5, None], "stamps": stamps}
    found = parse_scores([ReceivedMessage(9, "stinger/d0/scores", json.dumps(content).encode())])["d0"]
    assert found[["device_ms", "read_ns", "scored_ns", "published_ns", "received_ns"]].tolist() == [
        (100, 1, 2, 3, 9),
        (110, 1, 2, 3, 9),
    ]
    assert found["probability"][0] == 0.5
    assert math.isnan(found["probability"][1])


@given(st.binary(max_size=60))
def test_any_payload_is_parsed_or_left_out(payload: bytes) -> None:
    received = [ReceivedMessage(1, f"stinger/d0/{kind}", payload) for kind in ("scores", "shot", "link")]
    parse_scores(received)
    parse_messages(received, ("shot", "link"))


def test_equal_scores_agree_and_only_whole_windows_are_compared() -> None:
    entries = journal(200)
    entries["intact"][100] = False
    found = compare_scores(Delivery.of(entries), scores_of(entries))
    assert (found.compared, found.missing, found.largest_difference) == (51 + 50, 0, 0.0)


def test_wrong_score_is_the_largest_difference() -> None:
    entries = journal(200)
    scores = scores_of(entries)
    scores["probability"][150] += 0.25
    assert compare_scores(Delivery.of(entries), scores).largest_difference == pytest.approx(0.25)


def test_null_score_of_a_whole_window_is_missing() -> None:
    entries = journal(200)
    scores = scores_of(entries)
    scores["probability"][60:63] = np.nan
    assert compare_scores(Delivery.of(entries), scores).missing == 3


def test_without_comparisons_there_is_no_difference() -> None:
    assert compare_scores(Delivery.of(journal(40)), scores_of(journal(40))).largest_difference is None


def test_scores_of_another_model_are_not_compared() -> None:
    entries = journal(200)
    scores = scores_of(entries)
    scores["probability"][100:] = 0
    until_ns = int(scores["received_ns"][100])
    assert compare_scores(Delivery.of(entries), scores, until_ns=until_ns).largest_difference == 0


def spin_up(device_ms: int, state: str) -> ReceivedMessage:
    content = {"id": f"{device_ms}", "device_ms": device_ms, "state": state}
    return ReceivedMessage(10**12, "stinger/d0/spinup", json.dumps(content).encode())


def test_switches_by_one_side_only_are_counted() -> None:
    entries = journal(200)
    entries["wheels"][100:150] = True
    messages = parse_messages([spin_up(2000, "on"), spin_up(2510, "off")], ("spinup",))
    found = compare_wheels(Delivery.of(entries), messages)
    assert (found.compared, found.disagreeing) == (2, 2)


def test_repeated_timestamp_refers_to_the_latest_sample_sent_by_then() -> None:
    entries = journal(20)
    entries["sample"]["timestamp_ms"][10:] = entries["sample"]["timestamp_ms"][:10]
    finder = JournalLookup(entries)
    times = np.array([1000, 1000, 999, 1000])
    by_ns = np.array([entries["written_ns"][0], entries["written_ns"][10], 10**12, 0])
    assert finder.find(times, by_ns).tolist() == [0, 10, -1, -1]


def test_stages_add_up_to_the_whole_path() -> None:
    entries = journal(100)
    found = sample_latencies(sample_times(Delivery.of(entries), scores_of(entries, received_after_ns=4_000_000)))
    assert [(each.stage, each.p50_us, each.corrected) for each in found] == [
        ("sample: written to read", 1000, False),
        ("sample: read to scored", 1000, False),
        ("sample: scored to published", 1000, False),
        ("sample: published to received", 1000, False),
        (SAMPLES, pytest.approx(4000, rel=1e-3), False),
        ("sample: due to received", pytest.approx(4000 + LATE_NS / 1000, rel=1e-3), True),
    ]


def test_without_a_journal_only_the_stages_of_the_daemon_are_known() -> None:
    found = sample_latencies(sample_times(None, scores_of(journal(100))))
    assert [each.stage for each in found] == [
        "sample: read to scored",
        "sample: scored to published",
        "sample: published to received",
    ]
    assert find_stage(found, SAMPLES) is None


def test_histogram_counts_every_value_and_has_its_quantiles() -> None:
    found = histogram("x", np.arange(1, 1001, dtype=np.float64))
    assert (found.count, sum(count for _, count in found.buckets), found.max_us) == (1000, 1000, 1000)
    assert (found.p50_us, found.p99_us) == (500, 990)


@given(ppm=st.floats(-500, 500), seed=st.integers(0, 1000))
def test_drift_is_found_within_its_uncertainty(ppm: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 2000
    scores = np.zeros(count, dtype=SCORE_DTYPE)
    taken_ms = 10 * np.arange(count) + 5.3
    scores["device_ms"] = (taken_ms * (1 + ppm / 1e6)).astype(np.int64)
    scores["read_ns"] = 10**9 + ((taken_ms + rng.exponential(0.4, count)) * 1e6).astype(np.int64)
    fit = fit_clock(scores)
    assert fit is not None
    assert abs(fit.drift_ppm - ppm) <= fit.drift_uncertainty_ppm
    assert fit.excess_us.min() >= 0


def test_too_few_samples_give_no_clock_fit() -> None:
    assert fit_clock(scores_of(journal(99))) is None


def test_recovery_is_the_first_score_of_a_sample_sent_after_the_fault() -> None:
    entries = journal(300)
    scores = scores_of(entries)
    end_ns = START_NS + 200 * STEP_NS
    scores["probability"][200:250] = np.nan
    outage = InjectedFault("unplug", "unplug", START_NS + 100 * STEP_NS, end_ns)
    (found,) = find_recoveries([outage], {"d0": Delivery.of(entries)}, {"d0": scores}, [])
    assert found.time_s == pytest.approx((50 * STEP_NS + LATE_NS + 1_000_000) / 1e9)


def test_without_recovery_there_is_no_time() -> None:
    entries = journal(100)
    outage = InjectedFault("unplug", "unplug", START_NS, START_NS + 100 * STEP_NS)
    (found,) = find_recoveries([outage], {"d0": Delivery.of(entries)}, {"d0": scores_of(entries)}, [])
    assert found.time_s is None


def test_recovery_needs_every_device() -> None:
    entries = journal(100)
    outage = InjectedFault("stall", "stall", START_NS, START_NS + STEP_NS)
    deliveries = {name: Delivery.of(entries) for name in ("d0", "d1")}
    (found,) = find_recoveries([outage], deliveries, {"d0": scores_of(entries)}, [])
    assert found.at_ns is None


def status(at_ns: int, alarm: str) -> ReceivedMessage:
    return ReceivedMessage(at_ns, "stinger/daemon/status", json.dumps({"state": "online", "alarm": alarm}).encode())


def test_recovery_from_a_full_disk_is_the_end_of_its_alarm() -> None:
    full = InjectedFault("disk_full", "disk_full", 10, 20)
    messages = parse_messages([status(12, "full"), status(25, "")], ("status",))
    assert [found.at_ns for found in find_recoveries([full], {}, {}, messages)] == [25]
    never_cleared = parse_messages([status(25, "")], ("status",))
    assert [found.at_ns for found in find_recoveries([full], {}, {}, never_cleared)] == [None]


def test_model_switch_is_the_first_message_with_another_model() -> None:
    def model(at_ns: int, version: str) -> ReceivedMessage:
        return ReceivedMessage(at_ns, "stinger/d0/model", json.dumps({"model": version}).encode())

    messages = parse_messages([model(1, "factory"), model(2_000_000_000, "new")], ("model",))
    assert model_switch_s([InjectedFault("model_swapped", "", 1_000_000_000)], messages) == 1.0
    assert model_switch_s([], messages) is None

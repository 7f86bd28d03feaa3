"""Samples and shots sent, compared with those recorded and published."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.measuring.delivery import Delivery
from hil.measuring.messages import DaemonMessage, parse_messages
from hil.measuring.observations import ReceivedMessage
from hil.measuring.samples import compare_samples, recorded_rate_hz
from hil.measuring.shots import ShotCounts, compare_shots, drop_redelivered
from stinger.sample import SampleArray
from tests.helpers.samples import samples_at
from tests.hil.measuring.journals import journal, shot


def recorded(entries: SampleArray) -> SampleArray:
    return np.ascontiguousarray(entries["sample"])


def parsed(*received: ReceivedMessage) -> list[DaemonMessage]:
    return parse_messages(received, ("shot",))


def test_complete_recording_has_no_errors() -> None:
    entries = journal(50)
    counts = compare_samples(Delivery.of(entries), recorded(entries))
    assert (counts.sent, counts.lost, counts.foreign, counts.repeated) == (50, 0, 0, 0)


def test_missing_sample_is_lost_only_if_it_was_sent_intact() -> None:
    entries = journal(50)
    entries["intact"][7] = False
    kept = np.delete(recorded(entries), [7, 20])
    counts = compare_samples(Delivery.of(entries), kept)
    assert (counts.sent, counts.lost, counts.lost_on_wire) == (49, 1, 1)


def test_damaged_sample_that_was_recorded_is_foreign() -> None:
    entries = journal(50)
    kept = recorded(entries).copy()
    kept["ax"][9] ^= 1
    counts = compare_samples(Delivery.of(entries), kept)
    assert (counts.lost, counts.foreign, counts.repeated) == (1, 1, 0)


def test_sample_recorded_twice_is_repeated() -> None:
    entries = journal(50)
    kept = np.concatenate((recorded(entries), recorded(entries)[:2]))
    assert compare_samples(Delivery.of(entries), kept).repeated == 2


def test_sample_recorded_after_a_later_one_is_disordered() -> None:
    entries = journal(50)
    order = np.arange(50)
    order[[20, 21, 22]] = [22, 20, 21]
    counts = compare_samples(Delivery.of(entries), recorded(entries)[order])
    assert (counts.lost, counts.repeated, counts.disordered) == (0, 0, 2)
    assert compare_samples(Delivery.of(entries), recorded(entries)).disordered == 0


def test_equal_samples_are_in_order() -> None:
    entries = journal(50)
    entries["sample"] = entries["sample"][0]
    assert compare_samples(Delivery.of(entries), recorded(entries)).disordered == 0


@given(kinds=st.lists(st.integers(0, 5), min_size=1, max_size=30), kept=st.lists(st.integers(0, 7), max_size=40))
def test_equal_samples_are_counted_one_by_one(kinds: list[int], kept: list[int]) -> None:
    alike = recorded(journal(8))
    entries = journal(len(kinds))
    entries["sample"] = alike[kinds]
    counts = compare_samples(Delivery.of(entries), alike[kept])
    sent, recorded_count = Counter(kinds), Counter(kept)
    assert (counts.sent, counts.lost) == (len(kinds), (sent - recorded_count).total())
    assert counts.foreign == sum(count for kind, count in recorded_count.items() if kind not in sent)
    assert counts.repeated == sum(max(0, count - sent[kind]) for kind, count in recorded_count.items() if kind in sent)


def test_rate_ignores_gaps() -> None:
    assert recorded_rate_hz(samples_at([0, 10, 20, 5000, 5010])) == pytest.approx(100)
    assert recorded_rate_hz(samples_at([0])) is None


def counted(entries: SampleArray, *received: ReceivedMessage) -> ShotCounts:
    return compare_shots(Delivery.of(entries), parsed(*received))


def test_edge_with_one_event_is_correct() -> None:
    entries = journal(300, triggers=(50, 250))
    counts = counted(entries, shot(1500, 10**12), shot(3500, 10**12))
    assert (counts.sent, counts.accepted, counts.lost, counts.invented, counts.repeated) == (2, 2, 0, 0, 0)


def test_edge_without_an_event_is_lost_and_its_time_is_known() -> None:
    entries = journal(300, triggers=(50, 250))
    counts = counted(entries, shot(1500, 10**12))
    assert (counts.lost, counts.lost_ns) == (1, [int(entries["due_ns"][250])])


def test_event_without_an_edge_is_invented() -> None:
    counts = counted(journal(300, triggers=(50,)), shot(1500, 10**12), shot(1510, 10**12))
    assert (counts.lost, counts.invented) == (0, 1)


def test_event_before_its_edge_is_invented() -> None:
    counts = counted(journal(300, triggers=(50,)), shot(1500, 10))
    assert (counts.lost, counts.invented) == (1, 1)


def test_second_event_for_an_edge_is_repeated() -> None:
    counts = counted(journal(300, triggers=(50,)), shot(1500, 10**12, "a"), shot(1500, 10**12, "b"))
    assert (counts.lost, counts.invented, counts.repeated) == (0, 0, 1)


def test_wrongly_accepted_or_rejected_shots_are_misjudged() -> None:
    entries = journal(300, triggers=(50, 100, 250))
    right = shot(1500, 10**12), shot(2000, 10**12, accepted=False), shot(3500, 10**12)
    assert counted(entries, *right).misjudged == 0
    assert counted(entries, right[0], shot(2000, 10**12), shot(3500, 10**12, accepted=False)).misjudged == 2


def test_two_boots_may_have_shots_at_the_same_time_of_their_clocks() -> None:
    entries = journal(300, triggers=(50, 200))
    entries["time_ms"][150:] -= 1500
    entries["sample"]["timestamp_ms"] = entries["time_ms"]
    at_ns = entries["written_ns"][[50, 200]].tolist()
    counts = counted(entries, shot(1500, at_ns[0]), shot(1500, at_ns[1], "second"))
    assert (counts.sent, counts.lost, counts.invented, counts.repeated) == (2, 0, 0, 0)


def test_edge_whose_first_sample_was_lost_is_expected_at_the_next() -> None:
    entries = journal(300, triggers=(50,))
    entries["intact"][50] = False
    assert counted(entries, shot(1510, 10**12)).lost == 0


def test_trigger_pressed_when_a_stream_begins_is_no_edge() -> None:
    entries = journal(100, triggers=(50,))
    entries["sequence"][:51] = -1
    entries["sequence"][51:] = np.arange(49)
    assert counted(entries).sent == 0


def test_repeated_id_is_a_redelivery_and_a_retained_copy_no_event() -> None:
    again = shot(1500, 2, "a")
    kept = ReceivedMessage(3, again.topic, again.payload, retained=True)
    first, redelivered = drop_redelivered(parsed(shot(1500, 1, "a"), again, kept))
    assert ([event.at_ns for event in first], redelivered) == ([1], 1)

"""Samples and shots that were to come, against those that came."""

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


def told(*heard: ReceivedMessage) -> list[DaemonMessage]:
    return parse_messages(heard, ("shot",))


def test_a_faithful_recording_has_nothing_to_complain_of() -> None:
    entries = journal(50)
    counts = compare_samples(Delivery.of(entries), recorded(entries))
    assert (counts.sent, counts.lost, counts.foreign, counts.repeated) == (50, 0, 0, 0)


def test_a_sample_that_is_missing_is_lost_only_if_it_was_sent_intact() -> None:
    entries = journal(50)
    entries["intact"][7] = False
    kept = np.delete(recorded(entries), [7, 20])
    counts = compare_samples(Delivery.of(entries), kept)
    assert (counts.sent, counts.lost, counts.lost_on_wire) == (49, 1, 1)


def test_a_sample_that_came_damaged_and_was_kept_is_foreign() -> None:
    entries = journal(50)
    kept = recorded(entries).copy()
    kept["ax"][9] ^= 1
    counts = compare_samples(Delivery.of(entries), kept)
    assert (counts.lost, counts.foreign, counts.repeated) == (1, 1, 0)


def test_a_sample_kept_twice_is_repeated() -> None:
    entries = journal(50)
    kept = np.concatenate((recorded(entries), recorded(entries)[:2]))
    assert compare_samples(Delivery.of(entries), kept).repeated == 2


def test_a_sample_kept_behind_a_later_one_is_disordered() -> None:
    entries = journal(50)
    order = np.arange(50)
    order[[20, 21, 22]] = [22, 20, 21]
    counts = compare_samples(Delivery.of(entries), recorded(entries)[order])
    assert (counts.lost, counts.repeated, counts.disordered) == (0, 0, 2)
    assert compare_samples(Delivery.of(entries), recorded(entries)).disordered == 0


def test_samples_that_are_all_alike_are_in_order() -> None:
    entries = journal(50)
    entries["sample"] = entries["sample"][0]
    assert compare_samples(Delivery.of(entries), recorded(entries)).disordered == 0


@given(kinds=st.lists(st.integers(0, 5), min_size=1, max_size=30), kept=st.lists(st.integers(0, 7), max_size=40))
def test_samples_that_are_alike_are_counted_one_by_one(kinds: list[int], kept: list[int]) -> None:
    alike = recorded(journal(8))
    entries = journal(len(kinds))
    entries["sample"] = alike[kinds]
    counts = compare_samples(Delivery.of(entries), alike[kept])
    sent, came = Counter(kinds), Counter(kept)
    assert (counts.sent, counts.lost) == (len(kinds), (sent - came).total())
    assert counts.foreign == sum(count for kind, count in came.items() if kind not in sent)
    assert counts.repeated == sum(max(0, count - sent[kind]) for kind, count in came.items() if kind in sent)


def test_rate_is_that_between_gaps() -> None:
    assert recorded_rate_hz(samples_at([0, 10, 20, 5000, 5010])) == pytest.approx(100)
    assert recorded_rate_hz(samples_at([0])) is None


def counted(entries: SampleArray, *heard: ReceivedMessage) -> ShotCounts:
    return compare_shots(Delivery.of(entries), told(*heard))


def test_every_edge_told_of_once_is_well() -> None:
    entries = journal(300, triggers=(50, 250))
    counts = counted(entries, shot(1500, 10**12), shot(3500, 10**12))
    assert (counts.sent, counts.accepted, counts.lost, counts.invented, counts.repeated) == (2, 2, 0, 0, 0)


def test_an_edge_that_nobody_tells_of_is_lost_and_its_moment_is_known() -> None:
    entries = journal(300, triggers=(50, 250))
    counts = counted(entries, shot(1500, 10**12))
    assert (counts.lost, counts.lost_ns) == (1, [int(entries["due_ns"][250])])


def test_a_shot_that_was_none_is_invented() -> None:
    counts = counted(journal(300, triggers=(50,)), shot(1500, 10**12), shot(1510, 10**12))
    assert (counts.lost, counts.invented) == (0, 1)


def test_a_shot_told_of_before_it_happened_is_invented() -> None:
    counts = counted(journal(300, triggers=(50,)), shot(1500, 10))
    assert (counts.lost, counts.invented) == (1, 1)


def test_one_shot_told_of_as_two_is_repeated() -> None:
    counts = counted(journal(300, triggers=(50,)), shot(1500, 10**12, "a"), shot(1500, 10**12, "b"))
    assert (counts.lost, counts.invented, counts.repeated) == (0, 0, 1)


def test_a_burst_that_is_told_to_be_accepted_is_misjudged_and_so_is_the_reverse() -> None:
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


def test_an_edge_whose_first_sample_was_lost_is_expected_at_the_next() -> None:
    entries = journal(300, triggers=(50,))
    entries["intact"][50] = False
    assert counted(entries, shot(1510, 10**12)).lost == 0


def test_a_trigger_that_is_down_when_a_stream_begins_is_no_edge() -> None:
    entries = journal(100, triggers=(50,))
    entries["sequence"][:51] = -1
    entries["sequence"][51:] = np.arange(49)
    assert counted(entries).sent == 0


def test_the_same_id_again_is_a_redelivery_and_a_retained_copy_no_event() -> None:
    again = shot(1500, 2, "a")
    kept = ReceivedMessage(3, again.topic, again.payload, retained=True)
    first, redelivered = drop_redelivered(told(shot(1500, 1, "a"), again, kept))
    assert ([event.at_ns for event in first], redelivered) == ([1], 1)

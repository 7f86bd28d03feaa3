"""Which samples of a journal reached the host."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hil.measuring.delivery import Delivery
from stinger.wire.frames import FrameDecoder, encode_frames
from tests.hil.measuring.journals import STEP_NS, journal


def test_perfect_stream_is_delivered_completely() -> None:
    delivery = Delivery.of(journal(100))
    assert delivery.delivered.all()
    assert [index.tolist() for index in delivery.streams()] == [list(range(100))]
    assert delivery.lost_by_sequence() == 0


def test_samples_outside_of_streams_belong_to_none() -> None:
    entries = journal(100)
    entries["sequence"][40:60] = -1
    entries["sequence"][60:] = np.arange(40)
    delivery = Delivery.of(entries)
    assert np.flatnonzero(delivery.stream < 0).tolist() == list(range(40, 60))
    assert [index.size for index in delivery.streams()] == [40, 40]


def test_late_sample_is_not_delivered_and_counts_as_lost() -> None:
    entries = journal(10)
    entries["written_ns"][3] += 3 * STEP_NS
    delivery = Delivery.of(entries)
    assert np.flatnonzero(~delivery.delivered).tolist() == [3]
    assert delivery.lost_by_sequence() == 1


def test_wrapped_sequence_number_does_not_begin_another_stream() -> None:
    entries = journal(10)
    entries["sequence"] = (np.arange(10) + 65_530) % 2**16
    delivery = Delivery.of(entries)
    assert len(delivery.streams()) == 1
    assert delivery.lost_by_sequence() == 0


@given(st.lists(st.booleans(), min_size=2, max_size=80))
def test_loss_equals_the_count_of_a_decoder(intact: list[bool]) -> None:
    entries = journal(len(intact))
    entries["intact"] = intact
    decoder = FrameDecoder()
    for i in np.flatnonzero(intact).tolist():
        decoder.feed(encode_frames(np.ascontiguousarray(entries["sample"][i : i + 1]), i))
    assert Delivery.of(entries).lost_by_sequence() == decoder.lost


def test_windows_are_whole_from_the_fiftieth_delivered_sample() -> None:
    entries = journal(200)
    entries["intact"][100] = False
    whole = Delivery.of(entries).whole_windows()
    assert np.flatnonzero(whole).tolist() == [*range(49, 100), *range(150, 200)]


def test_windows_do_not_span_a_gap_in_time() -> None:
    entries = journal(120)
    entries["time_ms"][60:] += 1000
    assert np.flatnonzero(Delivery.of(entries).whole_windows()).tolist() == [*range(49, 60), *range(109, 120)]


def test_segments_are_split_where_the_clock_steps_back() -> None:
    entries = journal(100)
    entries["time_ms"][70:] -= 500
    assert [index.size for index in Delivery.of(entries).segments()] == [70, 30]

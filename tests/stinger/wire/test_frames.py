from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.sample import SAMPLE_DTYPE, SampleArray
from stinger.wire.frames import ENCODED_BYTES, TAIL_MAX_BYTES, FrameBlock, FrameDecoder, encode_frames
from tests.helpers.samples import random_samples, samples_of_bytes

records = st.binary(min_size=17, max_size=17).map(samples_of_bytes)


def feed_in_blocks(decoder: FrameDecoder, data: bytes, size: int) -> FrameBlock:
    blocks = [decoder.feed(data[i : i + size]) for i in range(0, len(data), size)]
    return FrameBlock(
        samples=np.concatenate([block.samples for block in blocks]),
        sequence=tuple(number for block in blocks for number in block.sequence),
        lines=tuple(line for block in blocks for line in block.lines),
    )


def test_encoded_frame_is_24_bytes_and_has_its_only_zero_at_the_end() -> None:
    encoded = encode_frames(random_samples(1), 0)
    assert len(encoded) == ENCODED_BYTES + 1
    assert encoded.index(0) == ENCODED_BYTES


def test_frame_bytes_are_those_of_the_documented_example() -> None:
    sample = np.array([(1000, -2054, -15, 18, 0, 4, 1, 1)], dtype=SAMPLE_DTYPE)
    assert encode_frames(sample, 258).hex(" ") == (
        "06 01 02 01 e8 03 01 06 fa f7 f1 ff 12 01 01 02 04 02 01 04 01 8b e7 00"
    )


@given(
    samples=st.binary(min_size=17, max_size=17 * 40).map(samples_of_bytes),
    first=st.integers(0, 2**16 - 1),
    size=st.integers(1, 200),
)
def test_any_cutting_into_blocks_gives_back_every_sample_and_number(
    samples: SampleArray, first: int, size: int
) -> None:
    decoder = FrameDecoder()
    block = feed_in_blocks(decoder, encode_frames(samples, first), size)
    assert block.samples.tobytes() == samples.tobytes()
    assert block.sequence == tuple((first + i) % 2**16 for i in range(samples.size))
    assert (decoder.lost, decoder.out_of_order, decoder.corrupted) == (0, 0, 0)


@given(garbage=st.binary(max_size=300), sample=records, cut=st.integers(0, 330))
def test_intact_frame_is_delivered_whatever_stands_before_it(garbage: bytes, sample: SampleArray, cut: int) -> None:
    data = garbage + encode_frames(sample, 7)
    decoder = FrameDecoder()
    got = np.concatenate([decoder.feed(data[:cut]).samples, decoder.feed(data[cut:]).samples])
    assert got[-1:].tobytes() == sample.tobytes()


@given(
    data=st.data(),
    damage=st.sampled_from(["flip", "cut", "drop", "insert"]),
    size=st.integers(1, 100),
)
def test_damage_costs_at_most_the_frames_that_it_touches(data: st.DataObject, damage: str, size: int) -> None:
    samples = random_samples(6)
    frames = [encode_frames(samples[i : i + 1], i) for i in range(6)]
    at = data.draw(st.integers(0, ENCODED_BYTES))
    victim = bytearray(frames[2])
    if damage == "flip":
        victim[at] ^= data.draw(st.integers(1, 255))
    elif damage == "cut":
        del victim[at:]
    elif damage == "drop":
        del victim[at]
    else:
        victim[at:at] = data.draw(st.binary(min_size=1, max_size=30))
    frames[2] = bytes(victim)
    got = list(feed_in_blocks(FrameDecoder(), b"".join(frames), size).sequence)
    assert set(got) >= {0, 1, 3, 4, 5}


def test_lost_frames_are_counted_by_their_numbers_across_the_wrap() -> None:
    samples = random_samples(4)
    frames = [encode_frames(samples[i : i + 1], number) for i, number in enumerate((65_533, 65_534, 1, 2))]
    decoder = FrameDecoder()
    decoder.feed(b"".join(frames))
    assert decoder.lost == 2


def test_repeated_frame_is_counted_out_of_order_and_not_as_loss() -> None:
    frame = encode_frames(random_samples(1), 5)
    decoder = FrameDecoder()
    decoder.feed(frame + frame)
    assert (decoder.lost, decoder.out_of_order, decoder.frames) == (0, 1, 2)


def test_late_frames_are_lost_once_where_they_are_missed_and_no_others() -> None:
    samples = random_samples(9)
    frames = [encode_frames(samples[i : i + 1], i) for i in range(9)]
    decoder = FrameDecoder()
    for number in (0, 1, 4, 2, 3, 5, 8, 6, 7):
        decoder.feed(frames[number])
    assert (decoder.lost, decoder.out_of_order, decoder.frames) == (4, 4, 9)


def test_device_that_starts_over_at_another_number_is_followed_after_some_frames() -> None:
    decoder = FrameDecoder()
    decoder.feed(encode_frames(random_samples(3), 1000))
    decoder.feed(encode_frames(random_samples(10), 500))
    assert (decoder.lost, decoder.out_of_order, decoder.frames) == (0, 5, 13)
    decoder.feed(encode_frames(random_samples(1), 512))
    assert decoder.lost == 2


def test_device_that_starts_over_is_counted_out_of_order_and_not_as_loss() -> None:
    decoder = FrameDecoder()
    decoder.feed(encode_frames(random_samples(3), 900) + encode_frames(random_samples(3), 0))
    assert (decoder.lost, decoder.out_of_order, decoder.frames) == (0, 1, 6)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_text_lines_between_frames_cost_no_frame_and_are_given_out(size: int) -> None:
    samples = random_samples(3)
    first, second, third = (encode_frames(samples[i : i + 1], i) for i in range(3))
    data = b"MLSTREAM1 100\n" + first + b"[ml] debug output\r\n" + second + third + b"MLSTREAM_DONE\n"
    decoder = FrameDecoder()
    block = feed_in_blocks(decoder, data, size)
    assert block.sequence == (0, 1, 2)
    assert block.lines == ("MLSTREAM1 100", "[ml] debug output", "MLSTREAM_DONE")
    assert decoder.corrupted == 0


def test_text_line_is_given_out_without_waiting_for_a_zero_byte() -> None:
    assert FrameDecoder().feed(b"MLSTREAM_DONE\n").lines == ("MLSTREAM_DONE",)


def test_text_line_behind_a_cut_frame_is_given_out_at_once() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(encode_frames(random_samples(1), 0)[:9] + b"\nMLSTREAM_DONE\n").lines == ("MLSTREAM_DONE",)


def test_frame_that_begins_with_a_line_feed_right_after_text_is_delivered() -> None:
    sample = np.array([(0x01010101, 0x0101, 0x0101, 0, 0, 0, 0, 0)], dtype=SAMPLE_DTYPE)
    frame = next(f for f in (encode_frames(sample, n) for n in range(0x0101, 0x0200)) if f[0] in (0x0A, 0x0B, 0x0C))
    decoder = FrameDecoder()
    text = b"boot"
    decoder.feed(text + frame[:1])
    assert decoder.feed(frame[1:]).samples.tobytes() == sample.tobytes()


def test_corrupted_frame_is_counted_once() -> None:
    frame = bytearray(encode_frames(random_samples(1), 0))
    frame[12] ^= 0x40
    decoder = FrameDecoder()
    decoder.feed(bytes(frame) + encode_frames(random_samples(1), 1))
    assert (decoder.corrupted, decoder.frames) == (1, 1)


def test_frame_whose_trigger_is_neither_up_nor_down_is_counted_as_corrupted() -> None:
    sample = random_samples(1)
    sample["trigger"] = 7
    decoder = FrameDecoder()
    assert decoder.feed(encode_frames(sample, 0)).samples.size == 0
    assert decoder.corrupted == 1


@given(st.lists(st.binary(max_size=500), max_size=30))
def test_decoder_survives_any_bytes_and_holds_back_no_more_than_stated(blocks: list[bytes]) -> None:
    decoder = FrameDecoder()
    for block in blocks:
        decoder.feed(block)
        assert len(decoder._tail) <= TAIL_MAX_BYTES


def test_sender_without_a_zero_byte_does_not_fill_the_memory() -> None:
    decoder = FrameDecoder()
    for _ in range(50):
        decoder.feed(b"\xaa" * 1000)
        assert len(decoder._tail) <= TAIL_MAX_BYTES
    assert decoder.feed(encode_frames(random_samples(1), 3)).sequence == (3,)
    assert decoder.corrupted > 0


def test_stream_whose_0xff_bytes_are_doubled_looks_like_telnet() -> None:
    samples = random_samples(200)
    decoder = FrameDecoder()
    data = encode_frames(samples, 0).replace(b"\xff", b"\xff\xff")
    for start in range(0, len(data), 7):
        decoder.feed(data[start : start + 7])
    assert decoder.looks_like_telnet
    assert 0 < decoder.frames < 200


def test_intact_and_otherwise_damaged_streams_do_not_look_like_telnet() -> None:
    data = bytearray(encode_frames(random_samples(500), 0))
    decoder = FrameDecoder()
    decoder.feed(bytes(data))
    assert decoder.telnet_escaped == 0
    for place in range(5, len(data), 40):
        data[place] ^= 0x55
    decoder.feed(bytes(data))
    assert decoder.telnet_escaped == 0


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=30),
    garbage=st.lists(st.binary(max_size=4), min_size=12, max_size=12),
    numbers=st.lists(st.sampled_from([1, 1, 1, 1, 2, 0, 5]), min_size=12, max_size=12),
)
def test_frames_taken_one_by_one_are_counted_as_those_that_are_fed(
    sizes: list[int], garbage: list[bytes], numbers: list[int]
) -> None:
    samples, number, data = random_samples(12), 0, b""
    for i in range(samples.size):
        number += numbers[i]
        data += (garbage[i] if i % 4 == 3 else b"") + encode_frames(samples[i : i + 1], number)
    fed, mixed = FrameDecoder(), FrameDecoder()
    expected = feed_in_blocks(fed, data, len(data)).samples.tobytes()
    got, at = b"", 0
    while at < len(data):
        size = sizes[at % len(sizes)] if at % 3 else ENCODED_BYTES + 1
        chunk = data[at : at + size]
        record = mixed.find_single(chunk)
        if record is None:
            got += mixed.feed(chunk).samples.tobytes()
        else:
            mixed.take_single()
            got += record
        at += size
    assert got == expected
    assert (mixed.frames, mixed.lost, mixed.out_of_order, mixed.corrupted) == (
        fed.frames,
        fed.lost,
        fed.out_of_order,
        fed.corrupted,
    )

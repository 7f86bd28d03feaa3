from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.sample import axes, make_samples
from stinger.wire.lines import LINE_MAX_BYTES
from stinger.wire.text_stream import STARTED, TextStreamDecoder, encode_rows


def rows(count: int) -> bytes:
    return b"".join(b"%d;2;3;4;5;6;0\r\n" % i for i in range(count))


def test_every_sixteenth_row_becomes_a_sample_ten_milliseconds_apart() -> None:
    samples = TextStreamDecoder().feed(rows(64))
    assert samples["timestamp_ms"].tolist() == [0, 10, 20, 30]
    assert samples["ax"].tolist() == [0, 16, 32, 48]


@given(st.integers(1, 40))
def test_any_cutting_into_blocks_gives_the_same_samples(size: int) -> None:
    data = STARTED.encode() + b"\r\n" + rows(100)
    decoder = TextStreamDecoder()
    pieces = [decoder.feed(data[i : i + size]) for i in range(0, len(data), size)]
    assert np.concatenate(pieces).tobytes() == TextStreamDecoder().feed(data).tobytes()


@pytest.mark.parametrize(
    "line",
    [b"1;2;3", b"1;2;3;4;5;6;2", b"1;2;x;4;5;6;0", b"1;2;3;4;5;6;0;7", b"\xff\xfe;2;3;4;5;6;0", b"1;2;3;4;5;6.5;0"],
)
def test_malformed_line_is_skipped_and_counted_and_keeps_its_place_in_time(line: bytes) -> None:
    decoder = TextStreamDecoder()
    samples = decoder.feed(rows(4) + line + b"\n" + rows(28))
    assert decoder.malformed == 1
    assert samples["timestamp_ms"].tolist() == [0, 10, 20]


def test_values_outside_int16_are_clipped_and_counted() -> None:
    decoder = TextStreamDecoder()
    samples = decoder.feed(b"-32773;40000;3;4;5;6;1\n")
    assert axes(samples)[0, :2].tolist() == [-32768, 32767]
    assert decoder.clipped == 2


def test_encoded_rows_decode_to_the_same_channels_and_trigger() -> None:
    rng = np.random.default_rng(3)
    sent = make_samples(np.arange(50), rng.integers(-32768, 32768, (50, 6)), rng.integers(0, 2, 50))
    got = TextStreamDecoder(every=1).feed(encode_rows(sent))
    np.testing.assert_array_equal(axes(got), axes(sent))
    np.testing.assert_array_equal(got["trigger"], sent["trigger"])


@given(st.lists(st.binary(max_size=3000), max_size=5))
def test_decoder_survives_any_bytes_and_holds_back_no_more_than_a_line(blocks: list[bytes]) -> None:
    decoder = TextStreamDecoder()
    for block in blocks:
        decoder.feed(block)
        assert len(decoder._tail) <= LINE_MAX_BYTES

from __future__ import annotations

import numpy as np
import pytest

from stinger.sample import make_samples
from stinger.wire.frames import encode_frames
from stinger.wire.stream import SampleStream, StreamKind
from stinger.wire.text_stream import STARTED

SAMPLES = make_samples(np.arange(40) * 10, np.arange(240).reshape(40, 6), np.zeros(40))


@pytest.mark.parametrize("size", [1, 10, 10_000])
def test_live_stream_is_recognised_and_nothing_is_lost(size: int) -> None:
    data = b"[ml] filesystem ready\r\nMLSTREAM1 100\n" + encode_frames(SAMPLES, 0)
    stream = SampleStream()
    got = [stream.feed(data[i : i + size]) for i in range(0, len(data), size)]
    assert stream.kind is StreamKind.FRAMES
    assert np.concatenate(got).tobytes() == SAMPLES.tobytes()


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
@pytest.mark.parametrize("size", [1, 10, 10_000])
def test_old_text_stream_is_recognised_and_no_row_is_lost(size: int, end: bytes) -> None:
    data = STARTED.encode() + end + (b"1;2;3;4;5;6;0" + end) * 33
    stream = SampleStream()
    got = [stream.feed(data[i : i + size]) for i in range(0, len(data), size)]
    assert stream.kind is StreamKind.TEXT
    assert stream.text.rows == 33
    assert np.concatenate(got)["timestamp_ms"].tolist() == [0, 10, 20]


def test_silence_and_remarks_leave_the_kind_open() -> None:
    stream = SampleStream()
    assert stream.feed(b"[ml] recording started\r\n").size == 0
    assert stream.kind is None


def test_starting_asks_for_100_hz_in_a_line() -> None:
    assert SampleStream.start() == b"MLSTREAM 100\n"

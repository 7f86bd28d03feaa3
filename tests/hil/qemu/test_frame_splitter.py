from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hil.qemu.frame_splitter import FrameSplitter, ScoredFrame
from stinger.sample import SampleArray
from stinger.wire.frames import DEVICE_SCORE_DTYPE, KNOWN_FLAG, encode_scored_frames
from tests.helpers.samples import random_samples, samples_of_bytes

STARTED = b"MLSTREAM1 100\n"
STOPPED = b"MLSTREAM_DONE\n"
INFO = b"[ml] samples_written=0 (~0.0s)\r\n"


def scored(samples: SampleArray, first: int = 0) -> bytes:
    scores = np.zeros(samples.shape[0], dtype=DEVICE_SCORE_DTYPE)
    scores["probability"], scores["flags"] = 0.25, KNOWN_FLAG
    return encode_scored_frames(samples, scores, first)


def split(data: bytes, size: int) -> list[ScoredFrame | bytes]:
    splitter = FrameSplitter()
    return [part for i in range(0, len(data), size) for part in splitter.feed(data[i : i + size])]


def frames_of(parts: list[ScoredFrame | bytes]) -> list[ScoredFrame]:
    return [part for part in parts if isinstance(part, ScoredFrame)]


def answers_of(parts: list[ScoredFrame | bytes]) -> bytes:
    return b"".join(part for part in parts if isinstance(part, bytes))


@given(samples=st.binary(min_size=17, max_size=17 * 20).map(samples_of_bytes), size=st.integers(1, 100))
def test_any_cutting_gives_every_frame_and_every_answer_once(samples: SampleArray, size: int) -> None:
    data = INFO + STARTED + INFO + scored(samples) + INFO + scored(samples, 7) + STOPPED + INFO
    parts = split(data, size)
    assert b"".join(part.data if isinstance(part, ScoredFrame) else part for part in parts) == data
    found = frames_of(parts)
    assert np.concatenate([frame.sample for frame in found]).tobytes() == 2 * samples.tobytes()
    assert [frame.sequence for frame in found] == [*range(samples.size), *range(7, 7 + samples.size)]
    assert answers_of(parts) == INFO + STARTED + INFO + INFO + STOPPED + INFO


@given(log=st.binary(max_size=300), size=st.integers(1, 100))
def test_log_outside_a_stream_passes_as_it_is(log: bytes, size: int) -> None:
    data = b"MLDUMP1 300\n" + log.replace(b"MLSTREAM1 ", b"") + b"\nMLDUMP_DONE\r\n"
    assert answers_of(split(data, size)) == data


def test_damaged_frame_passes_as_it_is() -> None:
    data = bytearray(scored(random_samples(3)))
    data[35] ^= 1
    parts = split(STARTED + bytes(data), 1000)
    assert [frame.sequence for frame in frames_of(parts)] == [0, 2]
    assert answers_of(parts) == STARTED + bytes(data[29:58])

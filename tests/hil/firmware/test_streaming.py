from __future__ import annotations

import ctypes

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.synthetic import synthesise
from stinger.sample import SampleArray
from stinger.wire.frames import (
    DEVICE_SCORE_DTYPE,
    KNOWN_FLAG,
    WHEELS_FLAG,
    FrameDecoder,
    encode_frames,
    encode_scored_frames,
)
from stinger.wire.sample_messages import decode_message
from tests.helpers.samples import counting_samples, random_samples, samples_of_bytes
from tests.hil.firmware.conftest import MakeDevice
from tests.hil.firmware.library import Device

any_samples = st.binary(min_size=17, max_size=17 * 40).map(samples_of_bytes)
SHARED_DEVICE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
RING_ENTRIES = 32


def start(device: Device, command: bytes = b"MLSTREAM 100\n") -> bytes:
    device.take()
    return device.send(command)


@SHARED_DEVICE
@given(samples=any_samples)
def test_frames_are_those_of_the_host_byte_for_byte(device: Device, samples: SampleArray) -> None:
    start(device)
    device.play(samples)
    assert device.take() == encode_frames(samples, 0)


@SHARED_DEVICE
@given(samples=any_samples)
def test_frames_with_scores_are_those_of_the_host_byte_for_byte(device: Device, samples: SampleArray) -> None:
    start(device, b"MLSTREAM 100 SCORES\n")
    scores = np.zeros(samples.shape[0], dtype=DEVICE_SCORE_DTYPE)
    scores["probability"], scores["flags"] = device.play(samples)
    assert device.take() == encode_scored_frames(samples, scores, 0)


def test_host_decodes_the_scores_of_a_device(make_device: MakeDevice) -> None:
    device = make_device(on=0.05)
    samples = synthesise(minutes=1, seed=5)
    start(device, b"MLSTREAM 100 SCORES\n")
    probability, flags = device.play(samples)
    block = FrameDecoder().feed(device.take())
    assert block.samples.tobytes() == samples.tobytes()
    assert block.scores is not None
    known = (flags & KNOWN_FLAG) > 0
    np.testing.assert_array_equal(block.scores["probability"], np.where(known, probability, np.float32(np.nan)))
    np.testing.assert_array_equal(block.scores["flags"], flags)
    assert (flags & WHEELS_FLAG).any()


def test_start_is_answered_before_the_first_frame(device: Device) -> None:
    assert start(device) == b"MLSTREAM1 100\n"


def test_end_is_answered_and_no_frame_follows(device: Device) -> None:
    start(device)
    assert start(device, b"MLSTREAM 0\n") == b"MLSTREAM_DONE\n"
    device.play(random_samples(5))
    assert device.take() == b""


def test_sequence_begins_at_zero_with_each_start(device: Device) -> None:
    for _ in range(2):
        start(device)
        device.play(random_samples(3))
        assert FrameDecoder().feed(device.take()).sequence == (0, 1, 2)


def test_rate_above_that_of_the_sensor_is_answered_with_the_sensors(device: Device) -> None:
    assert start(device, b"MLSTREAM 1600\n") == b"MLSTREAM1 100\n"


@SHARED_DEVICE
@given(rate_hz=st.integers(1, 100))
def test_lower_rate_sends_evenly_spaced_samples(device: Device, rate_hz: int) -> None:
    start(device, b"MLSTREAM %d\n" % rate_hz)
    samples = counting_samples(1000, 500)
    device.play(samples)
    block = FrameDecoder().feed(device.take())
    assert block.sequence == tuple(range(5 * rate_hz))
    steps = np.diff(block.samples["timestamp_ms"].astype(int))
    assert block.samples["timestamp_ms"][0] == samples["timestamp_ms"][0]
    assert steps.max() - steps.min() <= 10


def test_full_ring_drops_samples_counts_them_and_the_host_sees_them_as_lost(device: Device) -> None:
    start(device)
    device.set_write_at_most(0)
    samples = counting_samples(1000, 2 * RING_ENTRIES)
    device.play(samples)
    device.set_write_at_most(1 << 20)
    device.poll()
    later = counting_samples(1000, 2 * RING_ENTRIES + 1)[-1:]
    device.play(later)
    decoder = FrameDecoder()
    block = decoder.feed(device.take())
    kept = block.samples.size - 1
    assert device.counts.dropped == decoder.lost == samples.size - kept
    assert kept in {RING_ENTRIES, RING_ENTRIES + 1}  # one may be in the buffer of the link
    assert block.samples.tobytes() == samples[:kept].tobytes() + later.tobytes()


@SHARED_DEVICE
@given(sizes=st.lists(st.integers(0, 30), min_size=1, max_size=30))
def test_link_that_takes_part_of_each_write_delivers_every_byte(device: Device, sizes: list[int]) -> None:
    device.set_write_at_most(1 << 20)
    start(device)
    samples = counting_samples(1000, 20)
    for i, size in enumerate([*sizes, 1 << 20]):
        device.set_write_at_most(size)
        device.play(samples[i : i + 1]) if i < 20 else device.poll()
    device.set_write_at_most(1 << 20)
    device.play(samples[len(sizes) + 1 :])
    assert device.take() == encode_frames(samples, 0)


def test_device_reads_its_sensor_at_its_own_time(device: Device) -> None:
    start(device)
    sample = random_samples(1)
    assert device.sample(sample.tobytes())
    device.poll()
    assert device.take() == encode_frames(sample, 0)


def test_closing_the_port_ends_the_stream(device: Device) -> None:
    start(device)
    device.disconnect()
    device.play(random_samples(5))
    assert device.take() == b""
    assert device.counts.dropped == 0


class Sample(ctypes.Structure):
    """``stinger_sample_t``."""

    _fields_ = [("timestamp_ms", ctypes.c_uint32), ("axes", ctypes.c_int16 * 6), ("trigger", ctypes.c_uint8)]


def test_blocks_are_the_messages_that_the_host_reads(library: ctypes.CDLL) -> None:
    library.stinger_block_add.restype = ctypes.c_bool
    samples = random_samples(45)
    block = ctypes.create_string_buffer(1024)
    library.stinger_block_init(block)
    received = []
    for time_ms, *axes, trigger in samples.tolist():
        if library.stinger_block_add(block, ctypes.byref(Sample(time_ms, (ctypes.c_int16 * 6)(*axes), trigger))):
            received.append(decode_message(block.raw[: 4 + 20 * 17]))
            library.stinger_block_next(block)
    assert [one.first for one in received] == [0, 20]
    assert b"".join(one.samples.tobytes() for one in received) == samples[:40].tobytes()

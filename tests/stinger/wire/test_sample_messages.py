from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.errors import ProtocolError
from stinger.wire.sample_messages import (
    COUNTER_MODULUS,
    MESSAGE_MAX_SAMPLES,
    MessageCounter,
    SampleMessage,
    decode_message,
    device_of,
    encode_message,
)
from tests.helpers.samples import samples_at


def message(first: int, count: int = 20, time_ms: int | None = None) -> SampleMessage:
    begin = first * 10 if time_ms is None else time_ms
    return SampleMessage(first % COUNTER_MODULUS, samples_at(np.arange(count) * 10 + begin))


@given(first=st.integers(0, COUNTER_MODULUS - 1), count=st.integers(1, 50))
def test_what_was_encoded_is_decoded(first: int, count: int) -> None:
    sent = message(first, count, time_ms=7)
    payload = encode_message(sent)
    assert len(payload) == 4 + 17 * count
    got = decode_message(payload)
    assert got.first == first
    assert got.samples.tobytes() == sent.samples.tobytes()


def test_layout_is_little_endian_counter_then_records() -> None:
    assert encode_message(message(0x01020304, 1, time_ms=5))[:8] == bytes([4, 3, 2, 1, 5, 0, 0, 0])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_protocol_error(payload: bytes) -> None:
    try:
        got = decode_message(payload)
    except ProtocolError:
        return
    assert encode_message(got) == payload


@pytest.mark.parametrize("size", [0, 4, 20, 22, 4 + 17 * (MESSAGE_MAX_SAMPLES + 1)])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(ProtocolError):
        decode_message(bytes(size))


def test_trigger_that_is_no_switch_is_refused() -> None:
    with pytest.raises(ProtocolError, match="trigger"):
        decode_message(bytes(20) + b"\2")


@pytest.mark.parametrize(
    ("topic", "device"),
    [
        ("stinger/blaster-7/samples", "blaster-7"),
        ("stinger/a/b/samples", None),
        ("stinger//samples", None),
        ("stinger/../samples", None),
        ("stinger/samples", None),
        ("other/a/samples", None),
        ("stinger/a/shot", None),
        (f"stinger/{'a' * 65}/samples", None),
        ("stinger/a\n/samples", None),
    ],
)
def test_only_a_safe_name_is_a_device(topic: str, device: str | None) -> None:
    assert device_of(topic, "stinger") == device


def test_losses_are_counted_across_the_end_of_the_counter() -> None:
    counter = MessageCounter()
    assert counter.is_new(message(COUNTER_MODULUS - 30))
    assert counter.is_new(message(COUNTER_MODULUS - 10))
    assert counter.is_new(message(15, time_ms=0))
    assert (counter.lost, counter.repeated, counter.restarts) == (5, 0, 0)


def test_repeat_is_distinguished_from_a_device_that_restarted() -> None:
    counter = MessageCounter()
    assert counter.is_new(message(0))
    assert counter.is_new(message(20))
    assert not counter.is_new(message(0))
    assert not counter.is_new(message(20))
    assert counter.is_new(message(0, time_ms=35))
    assert (counter.lost, counter.repeated, counter.restarts) == (0, 2, 1)

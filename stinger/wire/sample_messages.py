"""Blocks of samples as a blaster publishes them over MQTT; losses, repeats and restarts found by their counters.

A message is a u32 and then at least one 17-byte sample record, all little-endian. The u32 counts the samples that the
device has published before this message, since it started, modulo 2**32. The topic is ``stinger/<device>/samples``.
"""

from __future__ import annotations

from collections import deque
from struct import Struct
from typing import Final, NamedTuple

import numpy as np

from stinger.device_name import DeviceName, parse_device_name
from stinger.errors import InputError, ProtocolError
from stinger.sample import SAMPLE_BYTES, SAMPLE_DTYPE, SampleArray

SAMPLES_LEVEL: Final = "samples"
COUNTER_MODULUS: Final = 2**32
MESSAGE_MAX_SAMPLES: Final = 4096
"""41 s at 100 Hz. A longer message is refused unread: a broker forwards up to 256 MB, and any device can send that."""

_COUNTER: Final = Struct("<I")
MESSAGE_MAX_BYTES: Final = _COUNTER.size + MESSAGE_MAX_SAMPLES * SAMPLE_BYTES
_FIRST_TRIGGER: Final = _COUNTER.size + SAMPLE_BYTES - 1
_REMEMBERED: Final = 64


class SampleMessage(NamedTuple):
    """``samples`` ``(n,)``, n >= 1, of which the first is the device's ``first``-th, counted from 0 modulo 2**32.

    A named tuple, because one is built for each message: that is faster than a dataclass.
    """

    first: int
    samples: SampleArray


def encode_message(message: SampleMessage) -> bytes:
    """Return the payload of ``message``."""
    return _COUNTER.pack(message.first) + message.samples.astype(SAMPLE_DTYPE, copy=False).tobytes()


def decode_message(payload: bytes | bytearray) -> SampleMessage:
    """Decode a payload. Raises :class:`ProtocolError` for anything but one complete message."""
    size = len(payload) - _COUNTER.size
    if size < SAMPLE_BYTES or size % SAMPLE_BYTES:
        raise ProtocolError(f"{len(payload)} bytes, expected 4 and then a multiple of {SAMPLE_BYTES}")
    if size > MESSAGE_MAX_SAMPLES * SAMPLE_BYTES:
        raise ProtocolError(f"{size // SAMPLE_BYTES} samples, more than {MESSAGE_MAX_SAMPLES}")
    if max(payload[_FIRST_TRIGGER::SAMPLE_BYTES]) > 1:  # for short messages this takes a fifth of the time of NumPy
        raise ProtocolError("a trigger that is neither 0 nor 1")
    samples = np.frombuffer(payload, dtype=SAMPLE_DTYPE, offset=_COUNTER.size)
    return SampleMessage(_COUNTER.unpack_from(payload)[0], samples)


def device_of(topic: str, prefix: str) -> DeviceName | None:
    """Return the device that publishes at ``topic``, ``<prefix>/<device>/samples``.

    Return None for any other topic, and where ``<device>`` is not a device name.
    """
    begin, end = f"{prefix}/", f"/{SAMPLES_LEVEL}"
    if not (topic.startswith(begin) and topic.endswith(end)):
        return None
    try:
        return parse_device_name(topic[len(begin) : -len(end)])
    except InputError:
        return None


class MessageCounter:
    """Counts ``lost`` samples, ``repeated`` messages and ``restarts`` of one device by the counters of its messages."""

    def __init__(self) -> None:
        self.lost = 0
        self.repeated = 0
        self.restarts = 0
        self._next: int | None = None
        self._seen: deque[tuple[int, int, int]] = deque(maxlen=_REMEMBERED)

    def is_new(self, message: SampleMessage) -> bool:
        """Count ``message``; return False if it repeats one of the last 64, as may happen with QoS 1, else True.

        Any other counter behind the last one means that the device restarted; samples lost meanwhile are not counted.
        """
        count = message.samples.shape[0]
        identity = (message.first, int(message.samples["timestamp_ms"][0]), count)
        ahead = 0 if self._next is None else (message.first - self._next) % COUNTER_MODULUS
        if ahead >= COUNTER_MODULUS // 2:
            if identity in self._seen:
                self.repeated += 1
                return False
            self.restarts += 1
        else:
            self.lost += ahead
        self._seen.append(identity)
        self._next = (message.first + count) % COUNTER_MODULUS
        return True

"""The protocols of each kind of firmware: its answers, whether it streams, and how it encodes samples."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from stinger.sample import IMU_RATE_HZ, SampleArray
from stinger.wire.commands import UPLOAD_TIMEOUT_S
from stinger.wire.device import Blaster, DeviceLink
from stinger.wire.text_stream import STARTED, encode_rows


class Firmware(Enum):
    """The kind of firmware on the emulated blaster."""

    LIVE = "live"
    """All commands, and the live stream of frames."""
    STOCK = "stock"
    """All commands, no stream."""
    OLD = "old"
    """No commands; any character starts the text stream."""


class Link(Protocol):
    """The device's side of one link to a host, created when it is opened.

    See :class:`~stinger.wire.device.DeviceLink`.
    """

    stream_hz: int
    """The sample rate that the host requested, 0 for no stream."""

    @property
    def sequence(self) -> int:
        """The sequence number of the next frame; -1 if frames have none."""

    @property
    def awaited(self) -> int:
        """How many bytes of an upload are still missing; 0 without an upload."""

    def receive(self, data: bytes, now_s: float) -> bytes:
        """Process the host's bytes, and return the answer."""

    def tick(self, now_s: float) -> bytes:
        """Process timeouts at ``now_s``, and return what to send because of them."""

    def samples(self, samples: SampleArray) -> bytes:
        """Encode ``samples`` ``(n,)``."""


class TextLink:
    """The link of old firmware: the first character starts the text stream, which ends when the link closes."""

    sequence = -1
    awaited = 0

    def __init__(self) -> None:
        self.stream_hz = 0

    def receive(self, data: bytes, now_s: float) -> bytes:
        """See :class:`Link`."""
        del now_s
        if self.stream_hz or not data:
            return b""
        self.stream_hz = IMU_RATE_HZ
        return f"{STARTED}\r\n".encode("ascii")

    def tick(self, now_s: float) -> bytes:
        """See :class:`Link`."""
        del now_s
        return b""

    def samples(self, samples: SampleArray) -> bytes:
        """See :class:`Link`."""
        return encode_rows(samples)


def open_link(firmware: Firmware, blaster: Blaster, *, upload_timeout_s: float = UPLOAD_TIMEOUT_S) -> Link:
    """Return a new link of this firmware."""
    if firmware is Firmware.OLD:
        return TextLink()
    return DeviceLink(blaster, streams=firmware is Firmware.LIVE, upload_timeout_s=upload_timeout_s)

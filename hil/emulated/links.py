"""How each kind of firmware talks: what it answers, whether it streams, and how a sample looks on its wire."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from stinger.sample import IMU_RATE_HZ, SampleArray
from stinger.wire.device import Blaster, DeviceLink
from stinger.wire.text_stream import STARTED, encode_rows


class Firmware(Enum):
    """What runs on the emulated blaster."""

    LIVE = "live"
    """All commands, and the live stream of frames."""
    STOCK = "stock"
    """All commands, no stream."""
    OLD = "old"
    """No commands; after any character, the text stream."""


class Link(Protocol):
    """One link to a host, from its opening on; see :class:`~stinger.wire.device.DeviceLink`."""

    stream_hz: int
    """At which the host gets samples, 0 for not at all."""

    @property
    def sequence(self) -> int:
        """The number of the next frame; -1 where frames have none."""

    @property
    def awaited(self) -> int:
        """How many bytes of an upload are still missing; 0 while there is none."""

    def receive(self, data: bytes, now_s: float) -> bytes:
        """Take the host's bytes and return the answer."""

    def tick(self, now_s: float) -> bytes:
        """Let time pass; return what to send because of it."""

    def samples(self, samples: SampleArray) -> bytes:
        """The bytes for ``samples`` ``(n,)``."""


class TextLink:
    """The link of older firmware: the first character starts the text stream, which ends with the link."""

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


def open_link(firmware: Firmware, blaster: Blaster) -> Link:
    """A new link, as this firmware begins it."""
    return TextLink() if firmware is Firmware.OLD else DeviceLink(blaster, streams=firmware is Firmware.LIVE)

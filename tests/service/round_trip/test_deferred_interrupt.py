from __future__ import annotations

import signal

import pytest

from service.round_trip.blaster_client import BlasterClient
from service.round_trip.deferred_interrupt import deferred_interrupt
from service.round_trip.links import CHUNK_BYTES, Link
from stinger.wire.commands import ModelSlot
from stinger.wire.device import DeviceLink
from stinger.wire.host import LoadModel, UploadModel
from tests.stinger.wire.test_device import Shelf

MODEL = bytes(range(256)) * 20


class SimulatedLink(Link):
    """A link to a simulated blaster; Ctrl-C is pressed during the write number ``interrupted_at``."""

    def __init__(self, interrupted_at: int) -> None:
        super().__init__("link")
        self.shelf = Shelf()
        self.device = DeviceLink(self.shelf)
        self.sent: list[bytes] = []
        self._answers = b""
        self._interrupted_at = interrupted_at

    def read(self) -> bytes:
        answers, self._answers = self._answers, b""
        return answers

    def write(self, data: bytes) -> None:
        self.sent.append(data)
        if len(self.sent) == self._interrupted_at:
            signal.raise_signal(signal.SIGINT)
        self._answers += self.device.receive(data, 0.0)

    def close(self) -> None:
        pass


def test_interrupt_is_raised_at_the_end_of_the_block() -> None:
    seen: list[bool] = []

    def press() -> None:
        with deferred_interrupt() as interrupted:
            seen.append(interrupted())
            signal.raise_signal(signal.SIGINT)
            seen.append(interrupted())

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        press()
    assert seen == [False, True]
    assert signal.getsignal(signal.SIGINT) is before


def test_interrupted_upload_leaves_the_old_model_and_a_ready_blaster() -> None:
    link = SimulatedLink(interrupted_at=4)
    client = BlasterClient(link, notify=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        client.request(UploadModel(ModelSlot.LR, MODEL))
    payload = b"".join(link.sent[1:])
    assert len(payload) == len(MODEL)
    assert payload[: 3 * CHUNK_BYTES] == MODEL[: 3 * CHUNK_BYTES]
    assert payload[3 * CHUNK_BYTES :] != MODEL[3 * CHUNK_BYTES :]
    assert b"MLMODEL_ERR crc" in link.read()
    assert link.shelf.models == {}
    assert link.device.awaited == 0


def test_interrupt_outside_an_upload_is_raised_at_once() -> None:
    link = SimulatedLink(interrupted_at=1)
    with pytest.raises(KeyboardInterrupt):
        BlasterClient(link, notify=lambda _: None).request(LoadModel(ModelSlot.LR))
    assert len(link.sent) == 1

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


class Wire(Link):
    """A blaster at the other end of nothing; Ctrl-C is pressed while the chunk number ``interrupted_at`` is written."""

    def __init__(self, interrupted_at: int) -> None:
        super().__init__("wire")
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


def test_interrupt_counts_when_the_block_has_ended() -> None:
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


def test_interrupted_upload_leaves_the_blaster_with_its_old_model_and_ready_for_the_next_command() -> None:
    wire = Wire(interrupted_at=4)
    client = BlasterClient(wire, notify=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        client.request(UploadModel(ModelSlot.LR, MODEL))
    payload = b"".join(wire.sent[1:])
    assert len(payload) == len(MODEL)
    assert payload[: 3 * CHUNK_BYTES] == MODEL[: 3 * CHUNK_BYTES]
    assert payload[3 * CHUNK_BYTES :] != MODEL[3 * CHUNK_BYTES :]
    assert b"MLMODEL_ERR crc" in wire.read()
    assert wire.shelf.models == {}
    assert wire.device.awaited == 0


def test_interrupt_between_questions_is_an_interrupt_at_once() -> None:
    wire = Wire(interrupted_at=1)
    with pytest.raises(KeyboardInterrupt):
        BlasterClient(wire, notify=lambda _: None).request(LoadModel(ModelSlot.LR))
    assert len(wire.sent) == 1

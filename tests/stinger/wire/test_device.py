from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.errors import DeviceError
from stinger.sample import SAMPLE_DTYPE
from stinger.wire.commands import UPLOAD_MAX_BYTES, ModelSlot, ModelStatus
from stinger.wire.device import DeviceLink
from stinger.wire.host import CountSamples, DeleteModels, DumpLog, Exchange, LoadModel, ReadModelStatus, UploadModel
from stinger.wire.stream import SampleStream
from tests.helpers.samples import random_samples

FINGERPRINTS = {"lr_intercept": "1.000000", "lr_coef[0]": "2.000000", "mlp_b3": "3.000000", "mlp_w1[0]": "4.000000"}


@dataclass
class Shelf:
    """A blaster that stores uploads, and raises the errors that a test sets."""

    log: bytes = b"seventeen bytes!!" * 3
    models: dict[ModelSlot, bytes] = field(default_factory=dict)
    loaded: list[ModelSlot] = field(default_factory=list)
    refusal: str | None = None

    def _check(self) -> None:
        if self.refusal is not None:
            raise DeviceError(self.refusal, "refused")

    def read_log(self) -> bytes:
        self._check()
        return self.log

    def samples_written(self) -> int:
        return len(self.log) // 17

    def begin_upload(self) -> None:
        self._check()

    def store_model(self, slot: ModelSlot, data: bytes) -> None:
        self.models[slot] = data

    def load_model(self, slot: ModelSlot) -> None:
        self._check()
        self.loaded.append(slot)

    def delete_models(self) -> None:
        self._check()
        self.models.clear()

    def model_status(self) -> ModelStatus:
        return ModelStatus(
            source="user" if self.loaded else "factory",
            user_model_present=bool(self.models),
            user_has_lr=ModelSlot.LR in self.loaded,
            user_has_mlp=ModelSlot.MLP in self.loaded,
            cached_age_ms=7,
            fingerprints=FINGERPRINTS,
        )


def converse(link: DeviceLink, exchange: Exchange[object], *, piece: int = 10_000) -> None:
    """Let host and device talk until neither has anything to say, in pieces of so many bytes."""
    to_device = exchange.start()
    while to_device:
        answer = b"".join(link.receive(to_device[i : i + piece], 0.0) for i in range(0, len(to_device), piece))
        to_device = b"".join(exchange.receive(answer[i : i + piece]) for i in range(0, len(answer), piece))


@pytest.mark.parametrize("piece", [1, 5, 512, 10_000])
@pytest.mark.parametrize("slot", ModelSlot)
def test_model_uploaded_by_the_host_half_arrives_whole_in_its_slot(slot: ModelSlot, piece: int) -> None:
    blaster = Shelf()
    upload = UploadModel(slot, bytes(range(256)) * 3)
    converse(DeviceLink(blaster), upload, piece=piece)
    assert upload.done
    assert blaster.models == {slot: bytes(range(256)) * 3}


def test_every_exchange_of_the_host_half_is_answered() -> None:
    link = DeviceLink(Shelf())
    dump, count, load, delete, status = (
        DumpLog(),
        CountSamples(),
        LoadModel(ModelSlot.MLP),
        DeleteModels(),
        ReadModelStatus(),
    )
    for exchange in (dump, count, load, delete, status):
        converse(link, exchange)
    assert dump.result == Shelf().log
    assert count.result == 3
    assert load.done
    assert delete.done
    assert status.result.source == "user"
    assert status.result.fingerprints == FINGERPRINTS


def test_answers_are_those_of_the_firmware_to_the_letter() -> None:
    link = DeviceLink(Shelf())
    assert link.receive(b"MLINFO\n", 0) == b"[ml] samples_written=3 (~0.0s)\r\n"
    assert link.receive(b"MLDUMP\n", 0) == b"MLDUMP1 51\n" + Shelf().log + b"\nMLDUMP_DONE\r\n"
    assert link.receive(b"MLMODEL_LOAD_LR\n", 0) == b"[ml] MLMODEL_LOADED\r\n"
    assert link.receive(b"MLMODEL_DELETE\n", 0) == b"[ml] MLMODEL_DELETED\r\n"


@pytest.mark.parametrize(
    ("command", "refusal", "answer"),
    [
        (b"MLDUMP\n", "busy (firing)", b"[ml] ERROR: busy (firing)\r\n"),
        (b"MLDUMP\n", "no log data", b"[ml] ERROR: no log data\r\n"),
        (b"MLMODEL_PUT_LR 10 0\n", "busy", b"[ml] MLMODEL_ERR busy\r\n"),
        (b"MLMODEL_PUT_LR nonsense\n", "fs", b"[ml] MLMODEL_ERR fs\r\n"),
        (b"MLMODEL_LOAD_MLP\n", "load", b"[ml] MLMODEL_ERR load\r\n"),
        (b"MLMODEL_DELETE\n", "delete", b"[ml] MLMODEL_ERR delete\r\n"),
    ],
)
def test_refusal_is_answered_with_the_reason(command: bytes, refusal: str, answer: bytes) -> None:
    assert DeviceLink(Shelf(refusal=refusal)).receive(command, 0) == answer


@pytest.mark.parametrize(
    "arguments", [b"", b"10", b"0 00000000", b"%d 00000000" % (UPLOAD_MAX_BYTES + 1), b"-5 00", b"ten 00", b"10 xyz"]
)
def test_upload_with_impossible_arguments_is_refused(arguments: bytes) -> None:
    assert DeviceLink(Shelf()).receive(b"MLMODEL_PUT_LR " + arguments + b"\n", 0) == b"[ml] MLMODEL_ERR args\r\n"


def test_upload_with_a_wrong_checksum_leaves_the_old_model() -> None:
    blaster = Shelf(models={ModelSlot.LR: b"old"})
    assert DeviceLink(blaster).receive(b"MLMODEL_PUT_LR 3 00000000\nnew", 0).endswith(b"[ml] MLMODEL_ERR crc\r\n")
    assert blaster.models == {ModelSlot.LR: b"old"}


def test_upload_that_stands_still_for_more_than_ten_seconds_is_given_up() -> None:
    link = DeviceLink(Shelf())
    link.receive(b"MLMODEL_PUT_LR 300 00000000\n", 0.0)
    link.receive(b"x" * 100, 9.0)
    assert link.tick(19.0) == b""
    assert link.tick(19.1) == b"[ml] MLMODEL_ERR timeout\r\n"
    assert link.receive(b"MLINFO\n", 19.2).startswith(b"[ml] samples_written")


def test_bytes_of_an_upload_are_never_taken_for_commands() -> None:
    blaster = Shelf()
    body = b"\nMLMODEL_DELETE\n"
    link = DeviceLink(blaster)
    answer = link.receive(b"MLMODEL_PUT_MLP %d %08x\n%s" % (len(body), zlib.crc32(body), body), 0)
    assert answer == b"[ml] MLMODEL_READY\r\n[ml] MLMODEL_OK\r\n"
    assert blaster.models == {ModelSlot.MLP: body}


@pytest.mark.parametrize(
    "line",
    [
        b"MLNOTHING\n",
        b"MLDUMP now\n",
        b"MLMODEL_PUT_XX 3 0\n",
        b"MLSTREAM\n",
        b"MLSTREAM 9999\n",
        b"MLMODEL_PUT_LR\n",
        b"M" * 63 + b"\n",
    ],
)
def test_line_that_is_no_command_is_ignored(line: bytes) -> None:
    link = DeviceLink(Shelf())
    assert link.receive(line, 0) == b""
    assert link.receive(b"MLINFO\n", 0).startswith(b"[ml] samples_written")


@pytest.mark.parametrize("line", [b"HELLO\n", b"ml_dump\n", b"\n", b"\r\n", b"\0", b" MLINFO\n", b"M" * 64 + b"\n"])
def test_first_byte_that_is_no_m_and_a_line_that_is_too_long_silence_the_link(line: bytes) -> None:
    link = DeviceLink(Shelf())
    assert link.receive(line, 0) == b""
    assert link.receive(b"MLINFO\n", 0) == b""
    assert link.deaf


def test_second_line_end_after_a_command_silences_the_link() -> None:
    link = DeviceLink(Shelf())
    assert link.receive(b"MLINFO\r\n", 0).startswith(b"[ml] samples_written")
    link.receive(b"\r\n", 0)
    assert link.deaf


def test_size_of_an_upload_may_have_a_plus() -> None:
    assert DeviceLink(Shelf()).receive(b"MLMODEL_PUT_LR +3 352441c2\n", 0) == b"[ml] MLMODEL_READY\r\n"


def test_lines_of_a_refusal_come_before_its_reason() -> None:
    class Doubtful(Shelf):
        def load_model(self, slot: ModelSlot) -> None:
            raise DeviceError("load", f"refused {slot}", lines=["WARNING: x"])

    answer = DeviceLink(Doubtful()).receive(b"MLMODEL_LOAD_LR\n", 0)
    assert answer == b"[ml] WARNING: x\r\n[ml] MLMODEL_ERR load\r\n"


def test_stream_is_opened_fed_and_closed() -> None:
    link, stream = DeviceLink(Shelf()), SampleStream()
    samples = random_samples(20)
    assert link.receive(stream.start(), 0) == b"MLSTREAM1 100\n"
    assert link.stream_hz == 100
    assert stream.feed(link.samples(samples[:5])).tobytes() == samples[:5].tobytes()
    assert stream.feed(link.samples(samples[5:])).tobytes() == samples[5:].tobytes()
    assert stream.frames.lost == 0
    assert link.receive(stream.stop(), 0) == b"MLSTREAM_DONE\n"
    assert link.stream_hz == 0


def test_stream_that_is_opened_again_numbers_from_zero() -> None:
    link = DeviceLink(Shelf())
    samples = np.zeros(1, dtype=SAMPLE_DTYPE)
    link.receive(b"MLSTREAM 100\n", 0)
    first = link.samples(samples)
    link.receive(b"MLSTREAM 100\n", 0)
    assert link.samples(samples) == first


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_device_survives_any_bytes(blocks: list[bytes]) -> None:
    link = DeviceLink(Shelf())
    for now_s, block in enumerate(blocks):
        link.receive(block, float(now_s))

from __future__ import annotations

import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.errors import DeviceError, InputError, ProtocolError
from stinger.wire.commands import ModelSlot, ModelStatus
from stinger.wire.host import (
    CountSamples,
    DeleteModels,
    DumpLog,
    Exchange,
    LoadModel,
    ReadModelStatus,
    UploadModel,
)
from stinger.wire.lines import LINE_MAX_BYTES

LOG = bytes(range(256)) * 10
STATUS = b"".join(
    b"[ml] %s\r\n" % line
    for line in (
        b"model_source=user",
        b"user_model_present=1",
        b"user_has_lr=1",
        b"user_has_mlp=0",
        b"cached_age_ms=12",
        b"lr_intercept=-1.250000",
        b"lr_coef[0]=0.500000",
        b"mlp_b3=0.125000",
        b"mlp_w1[0]=3.000000",
    )
)


def dumped(log: bytes = LOG) -> bytes:
    return b"[ml] debug output\r\nMLDUMP1 %d\n%s\nMLDUMP_DONE\r\n" % (len(log), log)


def every_exchange() -> list[Exchange[object]]:
    return [
        DumpLog(),
        CountSamples(),
        UploadModel(ModelSlot.LR, b"model"),
        LoadModel(ModelSlot.MLP),
        DeleteModels(),
        ReadModelStatus(),
    ]


@given(st.integers(1, 600))
def test_dump_gives_the_log_however_it_is_cut(size: int) -> None:
    dump = DumpLog()
    assert dump.start() == b"MLDUMP\n"
    for i in range(0, len(dumped()), size):
        dump.receive(dumped()[i : i + size])
    assert dump.result == LOG
    assert list(dump.other_lines) == ["[ml] debug output"]


def test_debug_line_between_log_and_end_mark_is_no_damage() -> None:
    dump = DumpLog()
    dump.receive(b"MLDUMP1 4\n0123[ml] debug output\r\n\nMLDUMP_DONE\r\n")
    assert dump.result == b"0123"


def test_dump_reports_its_progress() -> None:
    dump = DumpLog()
    dump.receive(dumped()[:515])
    assert dump.expected_bytes == len(LOG)
    assert 0 < dump.received_bytes < len(LOG)


@pytest.mark.parametrize("reason", ["no log data", "no log file", "filesystem not ready", "busy (firing)"])
def test_each_refusal_to_dump_is_an_error_of_its_own(reason: str) -> None:
    with pytest.raises(DeviceError) as caught:
        DumpLog().receive(f"[ml] ERROR: {reason}\r\n".encode())
    assert caught.value.reason == reason


def test_dump_whose_end_mark_is_missing_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="end mark"):
        DumpLog().receive(b"MLDUMP1 4\n0123 more\nMLDUMP_DONE\n")


def test_error_of_an_incomplete_dump_names_how_much_arrived() -> None:
    dump = DumpLog()
    dump.receive(b"MLDUMP1 5000\n" + bytes(1234))
    with pytest.raises(ProtocolError, match=r"1,234 of 5,000 bytes"):
        dump.silence()


def test_absurd_size_is_refused() -> None:
    with pytest.raises(ProtocolError, match="99,999,999,999"):
        DumpLog().receive(b"MLDUMP1 99999999999\n")


def test_announced_size_takes_no_memory_before_the_bytes_come() -> None:
    dump = DumpLog()
    tracemalloc.start()
    dump.receive(b"MLDUMP1 16777216\n")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert dump.expected_bytes == 16_777_216
    assert peak < 100_000


def test_count_of_samples_is_read() -> None:
    count = CountSamples()
    assert count.start() == b"MLINFO\n"
    count.receive(b"[ml] samples_written=90000 (~900.0s)\n")
    assert count.result == 90_000


@pytest.mark.parametrize(("slot", "word"), [(ModelSlot.LR, b"_LR"), (ModelSlot.MLP, b"_MLP"), (ModelSlot.SINGLE, b"")])
def test_upload_announces_size_and_crc_and_sends_when_the_blaster_is_ready(slot: ModelSlot, word: bytes) -> None:
    upload = UploadModel(slot, b"weights")
    assert upload.start() == b"MLMODEL_PUT%s 7 %08x\n" % (word, zlib.crc32(b"weights"))
    assert upload.receive(b"[ml] noise\r\n[ml] MLMODEL_READY\r\n") == b"weights"
    assert upload.receive(b"[ml] MLMODEL_OK\r\n") == b""
    assert upload.done


def test_confirmation_before_anything_was_sent_is_not_believed() -> None:
    upload = UploadModel(ModelSlot.LR, b"weights")
    upload.receive(b"[ml] MLMODEL_OK\r\n")
    assert not upload.done


@pytest.mark.parametrize("reason", ["args", "fs", "busy", "open", "crc", "rename", "timeout"])
def test_each_refusal_of_an_upload_is_an_error_of_its_own(reason: str) -> None:
    with pytest.raises(DeviceError) as caught:
        UploadModel(ModelSlot.MLP, b"weights").receive(f"[ml] MLMODEL_ERR {reason}\r\n".encode())
    assert caught.value.reason == reason


@pytest.mark.parametrize("size", [0, 200_000])
def test_model_of_a_size_that_the_blaster_cannot_take_is_not_offered(size: int) -> None:
    with pytest.raises(InputError):
        UploadModel(ModelSlot.LR, bytes(size))


def test_load_and_delete_wait_for_their_own_answer() -> None:
    load, delete = LoadModel(ModelSlot.LR), DeleteModels()
    assert (load.start(), delete.start()) == (b"MLMODEL_LOAD_LR\n", b"MLMODEL_DELETE\n")
    load.receive(b"[ml] MLMODEL_DELETED\r\n[ml] MLMODEL_LOADED\r\n")
    delete.receive(b"[ml] MLMODEL_DELETED\r\n")
    assert load.done
    assert delete.done


def test_model_status_is_read_with_its_fingerprints() -> None:
    status = ReadModelStatus()
    status.receive(STATUS)
    assert status.result == ModelStatus(
        source="user",
        user_model_present=True,
        user_has_lr=True,
        user_has_mlp=False,
        cached_age_ms=12,
        fingerprints={
            "lr_intercept": "-1.250000",
            "lr_coef[0]": "0.500000",
            "mlp_b3": "0.125000",
            "mlp_w1[0]": "3.000000",
        },
    )


def test_silence_ends_the_answer_of_firmware_without_fingerprints() -> None:
    status = ReadModelStatus()
    status.receive(STATUS[: STATUS.index(b"[ml] lr_")])
    assert not status.done
    status.silence()
    assert status.result.fingerprints == {}


@pytest.mark.parametrize("exchange", every_exchange(), ids=lambda exchange: type(exchange).__name__)
def test_silence_before_any_answer_is_an_error(exchange: Exchange[object]) -> None:
    with pytest.raises(ProtocolError, match="no answer"):
        exchange.silence()


@pytest.mark.parametrize("exchange", every_exchange(), ids=lambda exchange: type(exchange).__name__)
def test_sender_that_never_ends_its_line_does_not_fill_the_memory(exchange: Exchange[object]) -> None:
    for _ in range(50):
        exchange.receive(b"x" * 1000)
        assert len(exchange._buffer) <= LINE_MAX_BYTES + 1000


@given(st.lists(st.binary(max_size=3000) | st.just(dumped()[:40]) | st.just(STATUS[:50]), max_size=8))
def test_no_exchange_raises_undocumented_errors_or_keeps_unexpected_bytes(blocks: list[bytes]) -> None:
    for exchange in every_exchange():
        with suppress(DeviceError, ProtocolError):
            for block in blocks:
                exchange.receive(block)
                if not isinstance(exchange, DumpLog) and not exchange.done:
                    assert len(exchange._buffer) <= 3000

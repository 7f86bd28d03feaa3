from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hil.emulated import EmulatedBlaster, Port
from models.factory import factory_model
from models.graph.export import export_blaster_model
from models.model_meta import ModelMeta
from service.base.link_errors import LinkLostError
from service.round_trip.blaster_client import BlasterClient
from service.round_trip.pushing import (
    Upload,
    delete_models,
    describe_status,
    push_models,
    read_upload,
    uploads_in,
)
from stinger.errors import DeviceError, FileError, ProtocolError
from stinger.mlmd import LrModel, MlpModel, encode_mlmd, fingerprint, write_mlmd
from stinger.wire.commands import ModelSlot, ModelStatus
from tests.service.round_trip.emulated_client import QUICK, client_of


def lr_model(seed: int = 1) -> LrModel:
    rng = np.random.default_rng(seed)
    return LrModel(*(rng.normal(size=shape).astype(np.float32) for shape in LrModel.SHAPES.values()))


def mlp_model(seed: int = 1) -> MlpModel:
    rng = np.random.default_rng(seed)
    return MlpModel(*(rng.normal(size=shape).astype(np.float32) for shape in MlpModel.SHAPES.values()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``ml_model_lr.bin`` and ``ml_model_mlp.bin``."""
    folder = tmp_path / "models"
    folder.mkdir()
    write_mlmd(folder / "ml_model_lr.bin", lr_model())
    write_mlmd(folder / "ml_model_mlp.bin", mlp_model())
    return folder


class Stubborn(EmulatedBlaster):
    """Confirms that it has loaded a model, but keeps the old one."""

    def load_model(self, slot: ModelSlot) -> None:
        del slot


async def test_models_are_uploaded_loaded_and_verified(port: Port, folder: Path) -> None:
    async with client_of(port, faults=["chatter"]) as harness:
        status = await harness.run(lambda client: push_models(client, uploads_in(folder), load=True))
        shelf = harness.device.blaster.models
        assert shelf.fingerprints == fingerprint(lr_model()) | fingerprint(mlp_model())
    assert (status.source, status.user_has_lr, status.user_has_mlp) == ("user", True, True)
    assert [line.rpartition(": ")[2] for line in harness.notices] == [
        "uploaded, 244 bytes",
        "uploaded, 16,652 bytes",
        "the blaster's weights are those of the file",
        "the blaster's weights are those of the file",
    ]


async def test_stored_models_are_used_after_a_restart(pty: Port, folder: Path) -> None:
    async with client_of(pty) as harness:
        status = await harness.run(lambda client: push_models(client, uploads_in(folder), load=False))
        assert (status.source, status.user_model_present, status.user_has_lr) == ("factory", True, False)
        assert dict(describe_status(status))["uploaded models"] == "in flash, not loaded"
        harness.device.blaster.reboot()
        assert harness.device.blaster.model_status().user_has_mlp


async def test_single_file_is_for_the_single_slot_of_older_firmware(port: Port, folder: Path) -> None:
    (upload,) = uploads_in(folder / "ml_model_mlp.bin")
    assert upload.slot is ModelSlot.SINGLE
    async with client_of(port) as harness:
        status = await harness.run(lambda client: push_models(client, [upload], load=True))
    assert (status.user_has_lr, status.user_has_mlp) == (False, True)


async def test_delete_leaves_the_factory_models(port: Port, folder: Path) -> None:
    def work(client: BlasterClient) -> ModelStatus:
        push_models(client, uploads_in(folder), load=True)
        return delete_models(client)

    async with client_of(port) as harness:
        status = await harness.run(work)
    assert (status.source, status.user_model_present) == ("factory", False)


@pytest.mark.parametrize(
    ("fault", "word"),
    [("badcrc", "arrived damaged"), ("busy", "has to wait"), ("lostend", "did not arrive completely")],
)
async def test_temporary_refusal_is_retried(port: Port, folder: Path, fault: str, word: str) -> None:
    async with client_of(port, faults=[f"{fault}:times=2"], upload_timeout_s=0.3) as harness:
        status = await harness.run(lambda client: push_models(client, uploads_in(folder), load=True))
    assert status.user_has_mlp
    again = [line for line in harness.notices if "trying again" in line]
    assert [word in line for line in again] == [True, True]
    assert again[1].endswith("(3 of 3)")


@pytest.mark.parametrize(("fault", "reason"), [("badcrc", "crc"), ("busy", "busy"), ("lostend", "timeout")])
async def test_lasting_refusal_is_one_line_and_leaves_the_old_model(
    port: Port, folder: Path, fault: str, reason: str
) -> None:
    async with client_of(port, faults=[fault], upload_timeout_s=0.3) as harness:
        with pytest.raises(DeviceError, match=r"^.*ml_model_lr.bin: [^\n]*, 3 times$") as raised:
            await harness.run(lambda client: push_models(client, uploads_in(folder), load=True))
        assert not harness.device.blaster.models.has_files
    assert raised.value.reason == reason


async def test_permanent_refusal_is_not_retried(pty: Port, folder: Path) -> None:
    class Full(EmulatedBlaster):
        def begin_upload(self) -> None:
            raise DeviceError("open", "")

    async with client_of(pty, blaster=Full()) as harness:
        with pytest.raises(DeviceError, match=r"could not create the model file: its flash may be full$"):
            await harness.run(lambda client: push_models(client, uploads_in(folder), load=True))
    assert harness.notices == []


async def test_model_that_the_blaster_does_not_load_is_an_error(pty: Port, folder: Path) -> None:
    damaged = bytearray((folder / "ml_model_lr.bin").read_bytes())
    damaged[-1] ^= 1
    upload = Upload(ModelSlot.LR, "lr.bin", lr_model(), bytes(damaged))
    async with client_of(pty) as harness:
        with pytest.raises(DeviceError, match=r"^lr.bin: the blaster would not load the model"):
            await harness.run(lambda client: push_models(client, [upload], load=True))


async def test_blaster_that_uses_another_model_is_detected(port: Port, folder: Path) -> None:
    async with client_of(port, blaster=Stubborn()) as harness:
        with pytest.raises(ProtocolError, match=r"uses another model than the one sent: lr_intercept is .*, expected"):
            await harness.run(lambda client: push_models(client, uploads_in(folder), load=True))


@pytest.mark.parametrize(("lost", "ends_well"), [(1, True), (3, False)])
async def test_upload_without_confirmation_is_repeated(
    pty: Port, folder: Path, lost: int, ends_well: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmations = 0

    def without_some(answer: bytes, _: float) -> bytes:
        nonlocal confirmations
        confirmations += b"MLMODEL_OK" in answer
        return b"" if b"MLMODEL_OK" in answer and confirmations <= lost else answer

    async with client_of(pty, timeouts=replace(QUICK, upload_s=0.5)) as harness:
        monkeypatch.setattr(harness.device._faults, "answer", without_some)
        pushing = harness.run(lambda client: push_models(client, uploads_in(folder), load=True))
        if ends_well:
            assert (await pushing).user_has_lr
        else:
            with pytest.raises(ProtocolError, match=r"ml_model_lr.bin: no answer to MLMODEL_PUT_LR .*, 3 times$"):
                await pushing
    assert "was sent but not confirmed: trying again (2 of 3)" in harness.notices[0]


async def test_silence_of_older_firmware_gets_a_hint_to_the_single_slot(
    pty: Port, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client_of(pty, timeouts=replace(QUICK, upload_s=0.3)) as harness:

        def work(client: BlasterClient) -> None:
            monkeypatch.setattr(harness.device._faults, "silent", lambda _: True)
            push_models(client, uploads_in(folder), load=True)

        with pytest.raises(ProtocolError, match=r"no answer to MLMODEL_PUT_LR within 0.3 s; older firmware accepts a"):
            await harness.run(work)


async def test_unplugging_during_an_upload_is_one_line(port: Port, folder: Path) -> None:
    async with client_of(port) as harness:
        loop, device = asyncio.get_running_loop(), harness.device

        class Going(EmulatedBlaster):
            def begin_upload(self) -> None:
                loop.call_soon(device.port.unplug)

        device._link._blaster = Going()  # type: ignore[attr-defined] # of a link with commands
        with pytest.raises(LinkLostError, match=r"^[^\n]*$"):
            await harness.run(lambda client: push_models(client, uploads_in(folder), load=True))


def test_model_file_is_converted_for_the_blaster(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(factory_model().data)
    upload = read_upload(path, ModelSlot.MLP)
    assert isinstance(upload.model, MlpModel)
    assert upload.data == encode_mlmd(upload.model)


def test_converting_without_the_packages_for_training_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.onnx").write_bytes(factory_model().data)
    monkeypatch.delitem(sys.modules, "models.graph.export")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        FileError,
        match=r"model.onnx: converting it for the blaster needs the package onnx: run .* -m pip install",
    ):
        read_upload(tmp_path / "model.onnx", ModelSlot.MLP)


def test_wrong_file_for_a_slot_is_one_line_that_names_it(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "text.bin").write_text("no model")
    (tmp_path / "broken.onnx").write_text("no model")
    meta = ModelMeta("logreg:summary", "test", "2026-01-01")
    (tmp_path / "lr.onnx").write_bytes(export_blaster_model(lr_model(), meta))
    for path, slot, problem in (
        (tmp_path / "text.bin", ModelSlot.LR, "expected at least a 24-byte header"),
        (tmp_path / "broken.onnx", ModelSlot.LR, "is not an ONNX model"),
        (tmp_path / "lr.onnx", ModelSlot.MLP, r"is an LR model \(logreg:summary\): pass it with --lr"),
        (folder / "ml_model_mlp.bin", ModelSlot.LR, r"is an MLP \(mlp:rich\): pass it with --mlp"),
        (tmp_path / "missing.bin", ModelSlot.LR, "No such file"),
    ):
        with pytest.raises(FileError, match=problem) as raised:
            read_upload(path, slot)
        assert str(path) in str(raised.value)


def test_error_for_a_folder_without_models_names_the_expected_files(tmp_path: Path) -> None:
    with pytest.raises(
        FileError, match=r"holds no model for the blaster: expected ml_model_lr.bin or ml_model_mlp.bin"
    ):
        uploads_in(tmp_path)
    with pytest.raises(FileError, match="No such file"):
        uploads_in(tmp_path / "missing")

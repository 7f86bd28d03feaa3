from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil.emulated.factory import factory_models
from stinger.errors import DeviceError
from stinger.mlmd import LrModel, encode_mlmd, fingerprint
from stinger.wire.commands import COMMAND_MAX_CHARS, NEVER_MS, ModelSlot
from stinger.wire.frames import encode_frames
from stinger.wire.host import CountSamples, DeleteModels, DumpLog, LoadModel, ReadModelStatus, UploadModel
from tests.helpers.samples import random_samples
from tests.hil.firmware.conftest import MakeDevice
from tests.hil.firmware.library import Device

LR, MLP = factory_models()


def lr_model(coef: float, intercept: float) -> LrModel:
    ones = np.ones(18, dtype=np.float32)
    return LrModel(mean=ones, scale=2 * ones, coef=ones * np.float32(coef), intercept=np.array(intercept, np.float32))


ANOTHER_LR = lr_model(-0.125, 0.5)
SHARED_DEVICE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
STARTED = b"MLSTREAM1 100\n"


def upload(device: Device, slot: ModelSlot, file: bytes) -> None:
    device.ask(UploadModel(slot, file))


def load(device: Device, slot: ModelSlot) -> None:
    """Load a stored model: the device takes it over when the next sample comes."""
    exchange = LoadModel(slot)
    answer = device.send(exchange.start())
    device.play(random_samples(1))
    exchange.receive(answer + device.take())
    assert exchange.done


def status(device: Device) -> dict[str, object]:
    exchange = ReadModelStatus()
    device.ask(exchange)
    found = exchange.result
    return {
        "source": found.source,
        "stored": found.user_model_present,
        "lr": found.user_has_lr,
        "mlp": found.user_has_mlp,
        **found.fingerprints,
    }


def test_status_of_a_new_device_is_that_of_its_factory_models(device: Device) -> None:
    prints = fingerprint(LR) | fingerprint(MLP)
    assert status(device) == {"source": "factory", "stored": False, "lr": False, "mlp": False, **prints}


def test_uploaded_model_is_in_use_once_loaded(device: Device) -> None:
    upload(device, ModelSlot.LR, encode_mlmd(ANOTHER_LR))
    assert status(device)["lr"] is False
    load(device, ModelSlot.LR)
    assert status(device) == {
        "source": "user", "stored": True, "lr": True, "mlp": False, **fingerprint(ANOTHER_LR), **fingerprint(MLP),
    }  # fmt: skip


@pytest.mark.parametrize("model", [ANOTHER_LR, MLP], ids=["lr", "mlp"])
def test_single_file_form_takes_either_kind(device: Device, model: LrModel) -> None:
    upload(device, ModelSlot.SINGLE, encode_mlmd(model))
    load(device, ModelSlot.SINGLE)
    assert status(device)["source"] == "user"


def test_deleting_goes_back_to_the_factory_models(device: Device) -> None:
    upload(device, ModelSlot.LR, encode_mlmd(ANOTHER_LR))
    load(device, ModelSlot.LR)
    exchange = DeleteModels()
    answer = device.send(exchange.start())
    device.play(random_samples(1))
    exchange.receive(answer + device.take())
    assert exchange.done
    assert status(device)["source"] == "factory"
    assert status(device)["stored"] is False


def test_stored_model_is_in_use_after_a_reboot(device: Device) -> None:
    upload(device, ModelSlot.LR, encode_mlmd(ANOTHER_LR))
    device.reboot()
    assert status(device)["lr_intercept"] == "0.500000"


def test_model_of_the_other_kind_is_refused_and_changes_nothing(device: Device) -> None:
    upload(device, ModelSlot.MLP, encode_mlmd(ANOTHER_LR))
    with pytest.raises(DeviceError, match="load"):
        device.ask(LoadModel(ModelSlot.MLP))
    assert status(device)["source"] == "factory"


@SHARED_DEVICE
@given(position=st.integers(0, 243), value=st.integers(0, 255))
def test_damaged_file_is_refused_unless_the_byte_means_nothing(device: Device, position: int, value: int) -> None:
    file = bytearray(encode_mlmd(ANOTHER_LR))
    changed = file[position] != value
    file[position] = value
    upload(device, ModelSlot.LR, bytes(file))
    if changed and position not in {9, *range(12, 16)}:  # reserved, and widths of layers that it does not have
        with pytest.raises(DeviceError, match="load"):
            device.ask(LoadModel(ModelSlot.LR))
    else:
        load(device, ModelSlot.LR)


def test_weights_that_are_not_finite_are_refused(device: Device) -> None:
    file = bytearray(encode_mlmd(ANOTHER_LR))
    file[40:44] = b"\x00\x00\xc0\x7f"  # NaN
    file[20:24] = zlib.crc32(file[24:]).to_bytes(4, "little")
    upload(device, ModelSlot.LR, bytes(file))
    with pytest.raises(DeviceError, match="load"):
        device.ask(LoadModel(ModelSlot.LR))


def test_load_is_refused_after_a_second_without_a_sample(device: Device) -> None:
    upload(device, ModelSlot.LR, encode_mlmd(ANOTHER_LR))
    device.set_now(5000)
    assert device.send(b"MLMODEL_LOAD_LR\n") == b""
    device.set_now(6000)
    device.poll()
    assert device.take() == b"[ml] MLMODEL_ERR load\r\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (b"0 12345678", b"args"), (b"200000 0", b"args"), (b"-4 0", b"args"), (b"4", b"args"), (b"4 xyz", b"args"),
        (b"4 123456789", b"args"), (b"99999999999 0", b"args"), (b"16653 0", b"open"),
    ],
)  # fmt: skip
def test_upload_with_bad_arguments_is_refused(device: Device, arguments: bytes, reason: bytes) -> None:
    assert device.send(b"MLMODEL_PUT_LR " + arguments + b"\n") == b"[ml] MLMODEL_ERR " + reason + b"\r\n"


@pytest.mark.parametrize("arguments", [b"+3 352441c2", b"3 0x352441C2", b"  3   352441c2"])
def test_upload_arguments_are_read_as_the_firmware_does(device: Device, arguments: bytes) -> None:
    assert device.send(b"MLMODEL_PUT_LR " + arguments + b"\n") == b"[ml] MLMODEL_READY\r\n"
    assert device.send(b"abc") == b"[ml] MLMODEL_OK\r\n"


def test_wrong_checksum_is_refused_and_the_old_file_stays(device: Device) -> None:
    upload(device, ModelSlot.LR, encode_mlmd(ANOTHER_LR))
    assert device.send(b"MLMODEL_PUT_LR 3 1\nabc").endswith(b"MLMODEL_ERR crc\r\n")
    load(device, ModelSlot.LR)


def test_upload_that_stops_is_given_up_after_ten_seconds(device: Device) -> None:
    device.send(b"MLMODEL_PUT_LR 10 1\nabc")
    device.set_now(10_000)
    device.poll()
    assert device.take() == b""
    device.set_now(10_001)
    device.poll()
    assert device.take() == b"[ml] MLMODEL_ERR timeout\r\n"
    assert device.send(b"MLSTREAM 100\n") == STARTED


def test_upload_while_firing_is_refused_as_busy(device: Device) -> None:
    device.set_busy(busy=True)
    assert device.send(b"MLMODEL_PUT_LR 3 1\n") == b"[ml] MLMODEL_ERR busy\r\n"


def test_storage_that_fails_is_reported(device: Device) -> None:
    device.set_storage_fails(fails=True)
    assert device.send(b"MLMODEL_PUT_LR 3 352441c2\nabc").endswith(b"MLMODEL_ERR rename\r\n")


def test_log_arrives_as_it_is(device: Device) -> None:
    log = random_samples(1000).tobytes()
    device.set_log(log)
    dump, count = DumpLog(), CountSamples()
    device.ask(dump)
    device.ask(count)
    assert (dump.result, count.result) == (log, 1000)


@pytest.mark.parametrize(("log", "reason"), [(None, "no log file"), (b"", "no log data")])
def test_missing_and_empty_logs_have_different_reasons(device: Device, log: bytes | None, reason: str) -> None:
    if log is not None:
        device.set_log(log)
    with pytest.raises(DeviceError) as error:
        device.ask(DumpLog())
    assert error.value.reason == reason


def test_age_of_the_output_is_the_time_since_the_last_full_window(device: Device) -> None:
    exchange = ReadModelStatus()
    device.ask(exchange)
    assert exchange.result.cached_age_ms == NEVER_MS
    samples = random_samples(60)
    device.play(samples)
    device.set_now(int(samples["timestamp_ms"][-1]) + 120)
    exchange = ReadModelStatus()
    device.ask(exchange)
    assert exchange.result.cached_age_ms == 120


@SHARED_DEVICE
@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_weights_are_printed_with_six_decimals_as_the_host_expects(make_device: MakeDevice, value: float) -> None:
    model = lr_model(value, -value)
    assert status(make_device(lr=encode_mlmd(model))) | fingerprint(model) == status(make_device(lr=encode_mlmd(model)))


@SHARED_DEVICE
@given(noise=st.binary(max_size=300))
def test_next_good_command_is_understood_whatever_came_before(device: Device, noise: bytes) -> None:
    if b"MLMODEL_PUT" in noise:
        return
    device.send(noise + b"\n")
    assert device.send(b"MLSTREAM 100\n").endswith(STARTED)


@SHARED_DEVICE
@given(cut=st.integers(0, 14))
def test_command_cut_at_any_byte_costs_only_itself(device: Device, cut: int) -> None:
    device.send(b"MLMODEL_DELETE"[:cut])
    device.disconnect()
    assert device.send(b"MLSTREAM 100\n") == STARTED


def test_a_megabyte_of_noise_is_counted_and_changes_nothing(device: Device) -> None:
    noise = np.random.default_rng(1).integers(0, 256, 1 << 20, dtype=np.uint8).tobytes()
    device.send(noise + b"\n")
    device.take()
    assert device.counts.ignored > 1000
    assert device.send(b"MLSTREAM 100\n") == STARTED
    samples = random_samples(5)
    device.play(samples)
    assert device.take() == encode_frames(samples, 0)


def test_line_that_is_too_long_is_ignored_to_its_end(device: Device) -> None:
    assert device.send(b"MLINFO" + b" " * COMMAND_MAX_CHARS + b"MLINFO\n") == b""
    assert device.send(b"MLINFO\n") == b"[ml] samples_written=0 (~0.0s)\r\n"


@pytest.mark.parametrize(
    "line", [b"MLINFO ", b"mlinfo", b" MLINFO", b"MLMODEL_PUT_LR", b"MLMODEL_PUT_XY 3 1", b"MLSTREAM", b"MLSTREAM x",
             b"MLSTREAM 1601", b"MLSTREAM 100 2", b"MLMODEL_LOAD_LRX", b"M"],
)  # fmt: skip
def test_line_that_is_no_command_is_ignored_and_counted(device: Device, line: bytes) -> None:
    assert device.send(line + b"\n") == b""
    assert device.counts.ignored == 1
    assert device.counts.commands == 0


def test_answers_wait_for_a_host_that_does_not_read_and_nothing_is_lost(device: Device) -> None:
    device.set_write_at_most(0)
    assert device.receive(b"MLINFO\n") == 7
    device.poll()
    assert device.receive(b"MLINFO\n") in {0, 7}
    assert device.receive(b"MLINFO\n") == 0
    device.set_write_at_most(7)
    for _ in range(20):
        device.poll()
    assert b"samples_written=0 (~0.0s)\r\n" in device.take()


@pytest.mark.parametrize("change", [b"MLMODEL_DELETE\n", b"MLMODEL_LOAD_LR\n", b"MLMODEL_LOAD_MLP\n"])
def test_command_after_a_change_of_model_is_taken_once_a_sample_has_come(device: Device, change: bytes) -> None:
    upload(device, ModelSlot.LR, encode_mlmd(ANOTHER_LR))
    upload(device, ModelSlot.MLP, encode_mlmd(MLP))
    assert device.send(change + b"MLSTREAM 100\n").endswith(STARTED)

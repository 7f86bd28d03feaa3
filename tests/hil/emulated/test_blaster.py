from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from hil.emulated.blaster import EmulatedBlaster
from hil.emulated.factory import factory_models
from hil.emulated.firing import PHASE_MS, Phase
from hil.emulated.log_memory import LOG_MAX_SAMPLES, LogMemory
from hil.emulated.model_store import ModelStore
from models.synthetic import synthesise
from stinger.errors import DeviceError
from stinger.mlmd import BlasterModel, encode_mlmd
from stinger.sample import SAMPLE_DTYPE, SampleArray
from stinger.wire.commands import ModelSlot
from tests.helpers.samples import samples_at

LR, MLP = factory_models()
OTHER_LR = replace(LR, intercept=np.array(-1.5, np.float32))
OTHER_MLP = replace(MLP, b3=np.array(0.25, np.float32))


def feed(blaster: EmulatedBlaster, samples: SampleArray) -> None:
    for i in range(samples.shape[0]):
        blaster.take_sample(samples[i : i + 1], int(samples["timestamp_ms"][i]), 0)


def moving(count: int, start_ms: int = 0) -> SampleArray:
    channels = np.tile([0, 0, 2048, 900, -900, 0], (count, 1))
    return samples_at(start_ms + 10 * np.arange(count), channels=channels)


def still(count: int, start_ms: int = 0) -> SampleArray:
    return samples_at(start_ms + 10 * np.arange(count), channels=np.tile([3, -5, 2048, 45, -45, 0], (count, 1)))


def times_of(log: LogMemory) -> list[int]:
    times: list[int] = np.frombuffer(log.to_bytes(), dtype=SAMPLE_DTYPE)["timestamp_ms"].tolist()
    return times


def recorded(*parts: SampleArray) -> LogMemory:
    log = LogMemory()
    log.begin()
    for samples in parts:
        for i in range(samples.shape[0]):
            log.add(samples[i : i + 1], paused=False)
    return log


class TestLog:
    def test_holds_fourteen_minutes_and_no_more(self) -> None:
        log = recorded(np.resize(moving(1000), LOG_MAX_SAMPLES + 3))
        assert log.full
        assert len(log) == LOG_MAX_SAMPLES == 84_000

    def test_pauses_after_150_still_samples(self) -> None:
        assert times_of(recorded(still(300))) == list(range(0, 1500, 10))

    @pytest.mark.parametrize("channel", range(6))
    def test_does_not_pause_while_a_channel_steps_by_more_than_30(self, channel: int) -> None:
        samples = still(300)
        samples[["ax", "ay", "az", "gx", "gy", "gz"][channel]][::2] -= 31
        assert len(recorded(samples)) == 300

    def test_does_not_pause_while_the_blaster_turns(self) -> None:
        samples = still(300)
        samples["gz"] = 46
        assert len(recorded(samples)) == 300

    def test_resumes_after_ten_moving_samples_in_a_row(self) -> None:
        assert times_of(recorded(still(200), moving(15, 2000)))[149:] == [1490, *range(2090, 2150, 10)]

    def test_does_not_resume_after_nine_moving_samples(self) -> None:
        moved = recorded(still(200), moving(8, 2000), still(100, 2080))  # the step back to rest counts as moving
        assert len(moved) == 150

    def test_resumes_with_the_trigger(self) -> None:
        shot = still(5, 2000)
        shot["trigger"] = 1
        assert times_of(recorded(still(200), shot))[149:] == [1490, *range(2000, 2050, 10)]

    def test_never_pauses_at_the_noise_of_a_synthetic_session(self) -> None:
        samples = synthesise(minutes=2, seed=4, still_pause=False)
        assert len(recorded(samples)) == samples.shape[0]

    def test_pauses_while_a_host_has_the_port_open(self) -> None:
        blaster = EmulatedBlaster()
        feed(blaster, moving(10))
        blaster.set_host_connected(connected=True)
        feed(blaster, moving(10, 100))
        blaster.set_host_connected(connected=False)
        feed(blaster, moving(10, 200))
        assert times_of(blaster.log) == [*range(0, 100, 10), *range(200, 300, 10)]

    def test_survives_a_reboot_which_ends_the_recording(self) -> None:
        blaster = EmulatedBlaster()
        feed(blaster, moving(10))
        blaster.reboot()
        feed(blaster, moving(5))
        assert blaster.samples_written() == 10

    def test_is_cleared_by_the_first_recording_after_a_reboot(self) -> None:
        blaster = EmulatedBlaster()
        feed(blaster, moving(10))
        blaster.reboot()
        blaster.log.begin()
        feed(blaster, moving(5))
        assert blaster.samples_written() == 5

    def test_given_at_the_start_stays_as_it_is(self) -> None:
        blaster = EmulatedBlaster(logged=moving(10))
        feed(blaster, moving(5))
        assert blaster.samples_written() == 10

    @pytest.mark.parametrize(("begun", "reason"), [(False, "no log file"), (True, "no log data")])
    def test_is_refused_while_empty_and_before_it_was_begun(self, begun: bool, reason: str) -> None:
        blaster = EmulatedBlaster()
        blaster.log = LogMemory()
        if begun:
            blaster.log.begin()
        with pytest.raises(DeviceError) as refused:
            blaster.read_log()
        assert refused.value.reason == reason


class TestInference:
    def test_stops_while_a_host_has_the_port_open(self) -> None:
        blaster = EmulatedBlaster()
        feed(blaster, moving(60))
        blaster.set_host_connected(connected=True)
        feed(blaster, moving(30, 600))
        assert blaster.model_status().cached_age_ms == 300
        assert np.isnan(blaster.journal.since(60)["probability"]).all()

    def test_continues_while_the_host_has_a_stream(self) -> None:
        blaster = EmulatedBlaster()
        feed(blaster, moving(60))
        blaster.set_host_connected(connected=True)
        blaster.set_streaming(streaming=True)
        feed(blaster, moving(30, 600))
        assert blaster.model_status().cached_age_ms == 0


class TestShot:
    def shoot(self, blaster: EmulatedBlaster) -> None:
        samples = moving(60)
        samples["trigger"][55:] = 1
        feed(blaster, samples)

    def test_keeps_the_blaster_busy_until_its_wheels_stop(self) -> None:
        blaster = EmulatedBlaster()
        self.shoot(blaster)
        with pytest.raises(DeviceError) as log_refused:
            blaster.read_log()
        with pytest.raises(DeviceError) as upload_refused:
            blaster.begin_upload()
        assert (log_refused.value.reason, upload_refused.value.reason) == ("busy (firing)", "busy")
        blaster.advance_clock(550 + sum(PHASE_MS.values()))
        blaster.begin_upload()
        assert blaster.read_log()

    def test_has_its_phases_in_order(self) -> None:
        blaster = EmulatedBlaster()
        self.shoot(blaster)
        seen = [blaster.phase]
        for now_ms in range(600, 1200, 10):
            blaster.advance_clock(now_ms)
            if blaster.phase is not seen[-1]:
                seen.append(blaster.phase)
        assert seen == [Phase.RAMP_UP, Phase.PUSH, Phase.RETRACT, Phase.RAMP_DOWN, Phase.IDLE]

    def test_does_not_happen_while_a_host_has_the_port_open(self) -> None:
        blaster = EmulatedBlaster()
        blaster.set_host_connected(connected=True)
        self.shoot(blaster)
        assert blaster.phase is Phase.IDLE

    def test_happens_with_an_open_port_without_usb_safe(self) -> None:
        blaster = EmulatedBlaster(usb_safe=False)
        blaster.set_host_connected(connected=True)
        self.shoot(blaster)
        assert blaster.phase is Phase.RAMP_UP


class TestModels:
    def test_are_those_of_the_factory_until_an_uploaded_one_is_loaded(self) -> None:
        blaster = EmulatedBlaster()
        blaster.store_model(ModelSlot.LR, encode_mlmd(OTHER_LR))
        status = blaster.model_status()
        assert (status.source, status.user_model_present, status.user_has_lr) == ("factory", True, False)
        blaster.load_model(ModelSlot.LR)
        status = blaster.model_status()
        assert (status.source, status.user_has_lr, status.user_has_mlp) == ("user", True, False)
        assert status.fingerprints["lr_intercept"] == "-1.500000"

    @pytest.mark.parametrize(("model", "slot"), [(OTHER_LR, ModelSlot.LR), (OTHER_MLP, ModelSlot.MLP)])
    def test_with_damaged_weights_are_replaced_by_the_factory_model(self, model: BlasterModel, slot: ModelSlot) -> None:
        store = ModelStore()
        good = encode_mlmd(model)
        store.store(slot, good)
        store.load(slot)
        store.store(slot, good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(DeviceError):
            store.load(slot)
        assert not store.user_lr
        assert not store.user_mlp
        assert store.fingerprints == ModelStore().fingerprints

    def test_with_nan_are_named_in_a_line_before_the_refusal(self) -> None:
        store = ModelStore()
        file = bytearray(encode_mlmd(LR))
        file[40:44] = b"\x00\x00\xc0\x7f"
        file[20:24] = zlib.crc32(file[24:]).to_bytes(4, "little")
        store.store(ModelSlot.LR, bytes(file))
        with pytest.raises(DeviceError) as refused:
            store.load(ModelSlot.LR)
        assert refused.value.lines == ("WARNING: user LR model contains NaN/Inf, reverting to factory",)

    def test_damaged_in_the_single_slot_reset_their_own_kind_alone(self) -> None:
        store = ModelStore()
        store.store(ModelSlot.MLP, encode_mlmd(OTHER_MLP))
        store.load(ModelSlot.MLP)
        good = encode_mlmd(OTHER_LR)
        store.store(ModelSlot.SINGLE, good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(DeviceError):
            store.load(ModelSlot.SINGLE)
        assert (store.user_lr, store.user_mlp) == (False, True)

    def test_longer_than_their_payload_are_loaded(self) -> None:
        store = ModelStore()
        store.store(ModelSlot.LR, encode_mlmd(OTHER_LR) + b"more")
        store.load(ModelSlot.LR)
        assert store.fingerprints["lr_intercept"] == "-1.500000"

    def test_cut_short_load_as_factory_weights(self) -> None:
        store = ModelStore()
        store.store(ModelSlot.LR, encode_mlmd(OTHER_LR)[:-4])
        store.load(ModelSlot.LR)
        assert store.fingerprints == ModelStore().fingerprints

    def test_of_the_lr_kind_may_have_any_widths_of_hidden_layers(self) -> None:
        store = ModelStore()
        file = bytearray(encode_mlmd(OTHER_LR))
        file[12:16] = b"\1\2\3\4"
        store.store(ModelSlot.LR, bytes(file))
        store.load(ModelSlot.LR)

    def test_in_the_single_slot_count_at_boot_only_without_the_two_others(self) -> None:
        blaster = EmulatedBlaster()
        blaster.store_model(ModelSlot.SINGLE, encode_mlmd(OTHER_LR))
        blaster.reboot()
        assert blaster.model_status().user_has_lr
        blaster.store_model(ModelSlot.MLP, encode_mlmd(OTHER_MLP))
        blaster.reboot()
        assert not blaster.model_status().user_has_lr

    @pytest.mark.parametrize("data", [b"", b"MLMX" + bytes(240), encode_mlmd(MLP), encode_mlmd(LR)[:20]])
    def test_refused_before_their_weights_are_read_change_nothing(self, data: bytes) -> None:
        store = ModelStore()
        store.store(ModelSlot.LR, encode_mlmd(OTHER_LR))
        store.load(ModelSlot.LR)
        store.store(ModelSlot.LR, data)
        with pytest.raises(DeviceError):
            store.load(ModelSlot.LR)
        assert store.user_lr
        assert store.fingerprints["lr_intercept"] == "-1.500000"

    def test_that_were_never_uploaded_cannot_be_loaded(self) -> None:
        with pytest.raises(DeviceError) as refused:
            EmulatedBlaster().load_model(ModelSlot.MLP)
        assert refused.value.reason == "load"

    def test_in_the_single_slot_may_be_of_either_kind(self) -> None:
        for model in (OTHER_LR, OTHER_MLP):
            store = ModelStore()
            store.store(ModelSlot.SINGLE, encode_mlmd(model))
            store.load(ModelSlot.SINGLE)
            assert (store.user_lr, store.user_mlp) == (model is OTHER_LR, model is OTHER_MLP)

    def test_in_flash_are_loaded_at_boot_unless_deleted(self) -> None:
        blaster = EmulatedBlaster()
        blaster.store_model(ModelSlot.MLP, encode_mlmd(OTHER_MLP))
        blaster.store_model(ModelSlot.LR, b"nonsense")
        blaster.reboot()
        assert blaster.model_status().fingerprints["mlp_b3"] == "0.250000"
        assert not blaster.model_status().user_has_lr
        blaster.delete_models()
        blaster.reboot()
        assert blaster.model_status().source == "factory"

    def test_report_the_age_of_their_output(self) -> None:
        blaster = EmulatedBlaster()
        feed(blaster, moving(49))
        assert blaster.model_status().cached_age_ms == 2**32 - 1
        feed(blaster, moving(1, 490))
        blaster.advance_clock(700)
        assert blaster.model_status().cached_age_ms == 210

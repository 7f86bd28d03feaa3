from __future__ import annotations

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


class TestLog:
    def test_holds_fourteen_minutes_and_no_more(self) -> None:
        log = LogMemory(np.resize(moving(1000), LOG_MAX_SAMPLES - 2))
        for i in range(5):
            log.add(moving(5)[i : i + 1], paused=False)
        assert log.full
        assert len(log) == LOG_MAX_SAMPLES == 84_000
        assert np.frombuffer(log.to_bytes(), dtype=SAMPLE_DTYPE)["timestamp_ms"][-2:].tolist() == [0, 10]

    def test_pauses_after_a_second_and_a_half_at_rest_until_the_blaster_moves(self) -> None:
        still = samples_at(10 * np.arange(300))
        log = LogMemory()
        for i in range(300):
            log.add(still[i : i + 1], paused=False)
        assert len(log) == 150
        log.add(moving(1, 3000), paused=False)
        assert np.frombuffer(log.to_bytes(), dtype=SAMPLE_DTYPE)["timestamp_ms"][-2:].tolist() == [1490, 3000]

    def test_length_is_about_that_of_a_session_with_pauses(self) -> None:
        blaster = EmulatedBlaster()
        feed(blaster, synthesise(minutes=5, seed=4, still_pause=False))
        expected = synthesise(minutes=5, seed=4, still_pause=True).shape[0]
        assert blaster.samples_written() == pytest.approx(expected, rel=0.02)
        assert blaster.samples_written() < 29_500

    def test_pauses_while_a_host_has_the_port_open(self) -> None:
        blaster = EmulatedBlaster()
        feed(blaster, moving(10))
        blaster.set_host_connected(connected=True)
        feed(blaster, moving(10, 100))
        blaster.set_host_connected(connected=False)
        feed(blaster, moving(10, 200))
        times = np.frombuffer(blaster.read_log(), dtype=SAMPLE_DTYPE)["timestamp_ms"]
        assert times.tolist() == [*range(0, 100, 10), *range(200, 300, 10)]

    def test_survives_a_reboot(self) -> None:
        blaster = EmulatedBlaster()
        feed(blaster, moving(10))
        blaster.reboot()
        feed(blaster, moving(5))
        assert blaster.samples_written() == 15

    def test_is_refused_while_empty(self) -> None:
        with pytest.raises(DeviceError) as refused:
            EmulatedBlaster().read_log()
        assert refused.value.reason == "no log data"


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

    @pytest.mark.parametrize("data", [b"", b"MLMX" + bytes(240), encode_mlmd(MLP), encode_mlmd(LR)[:-4]])
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

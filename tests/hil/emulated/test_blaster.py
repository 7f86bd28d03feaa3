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
        blaster.take(samples[i : i + 1], int(samples["timestamp_ms"][i]), 0)


def moving(count: int, start_ms: int = 0) -> SampleArray:
    channels = np.tile([0, 0, 2048, 900, -900, 0], (count, 1))
    return samples_at(start_ms + 10 * np.arange(count), channels=channels)


class TestLog:
    def test_holds_fourteen_minutes_and_takes_no_more(self) -> None:
        log = LogMemory(np.resize(moving(1000), LOG_MAX_SAMPLES - 2))
        for i in range(5):
            log.take(moving(5)[i : i + 1], paused=False)
        assert log.full
        assert len(log) == LOG_MAX_SAMPLES == 84_000
        assert np.frombuffer(log.to_bytes(), dtype=SAMPLE_DTYPE)["timestamp_ms"][-2:].tolist() == [0, 10]

    def test_pauses_after_a_second_and_a_half_of_lying_still_until_it_is_picked_up(self) -> None:
        still = samples_at(10 * np.arange(300))
        log = LogMemory()
        for i in range(300):
            log.take(still[i : i + 1], paused=False)
        assert len(log) == 150
        log.take(moving(1, 3000), paused=False)
        assert np.frombuffer(log.to_bytes(), dtype=SAMPLE_DTYPE)["timestamp_ms"][-2:].tolist() == [1490, 3000]

    def test_of_a_session_is_what_its_logger_wrote_but_for_moments(self) -> None:
        blaster = EmulatedBlaster()
        feed(blaster, synthesise(minutes=5, seed=4, still_pause=False))
        expected = synthesise(minutes=5, seed=4, still_pause=True).shape[0]
        assert blaster.samples_written() == pytest.approx(expected, rel=0.02)
        assert blaster.samples_written() < 29_500

    def test_pauses_while_a_host_has_the_port_open(self) -> None:
        blaster = EmulatedBlaster()
        feed(blaster, moving(10))
        blaster.host(connected=True)
        feed(blaster, moving(10, 100))
        blaster.host(connected=False)
        feed(blaster, moving(10, 200))
        times = np.frombuffer(blaster.read_log(), dtype=SAMPLE_DTYPE)["timestamp_ms"]
        assert times.tolist() == [*range(0, 100, 10), *range(200, 300, 10)]

    def test_survives_a_reboot(self) -> None:
        blaster = EmulatedBlaster()
        feed(blaster, moving(10))
        blaster.reboot()
        feed(blaster, moving(5))
        assert blaster.samples_written() == 15

    def test_that_is_empty_is_refused(self) -> None:
        with pytest.raises(DeviceError) as refused:
            EmulatedBlaster().read_log()
        assert refused.value.reason == "no log data"


class TestShot:
    def shoot(self, blaster: EmulatedBlaster) -> None:
        samples = moving(60)
        samples["trigger"][55:] = 1
        feed(blaster, samples)

    def test_keeps_the_blaster_busy_until_its_wheels_stand_still(self) -> None:
        blaster = EmulatedBlaster()
        self.shoot(blaster)
        with pytest.raises(DeviceError) as log_refused:
            blaster.read_log()
        with pytest.raises(DeviceError) as upload_refused:
            blaster.begin_upload()
        assert (log_refused.value.reason, upload_refused.value.reason) == ("busy (firing)", "busy")
        blaster.pass_time(550 + sum(PHASE_MS.values()))
        blaster.begin_upload()
        assert blaster.read_log()

    def test_goes_through_its_phases_in_order(self) -> None:
        blaster = EmulatedBlaster()
        self.shoot(blaster)
        seen = [blaster.phase]
        for now_ms in range(600, 1200, 10):
            blaster.pass_time(now_ms)
            if blaster.phase is not seen[-1]:
                seen.append(blaster.phase)
        assert seen == [Phase.RAMP_UP, Phase.PUSH, Phase.RETRACT, Phase.RAMP_DOWN, Phase.IDLE]

    def test_does_not_happen_while_a_host_has_the_port_open(self) -> None:
        blaster = EmulatedBlaster()
        blaster.host(connected=True)
        self.shoot(blaster)
        assert blaster.phase is Phase.IDLE

    def test_happens_all_the_same_where_the_port_does_not_make_it_safe(self) -> None:
        blaster = EmulatedBlaster(usb_safe=False)
        blaster.host(connected=True)
        self.shoot(blaster)
        assert blaster.phase is Phase.RAMP_UP


class TestModels:
    def test_are_the_factory_s_until_an_uploaded_one_is_loaded(self) -> None:
        blaster = EmulatedBlaster()
        blaster.store_model(ModelSlot.LR, encode_mlmd(OTHER_LR))
        status = blaster.model_status()
        assert (status.source, status.user_model_present, status.user_has_lr) == ("factory", True, False)
        blaster.load_model(ModelSlot.LR)
        status = blaster.model_status()
        assert (status.source, status.user_has_lr, status.user_has_mlp) == ("user", True, False)
        assert status.fingerprints["lr_intercept"] == "-1.500000"

    @pytest.mark.parametrize(("model", "slot"), [(OTHER_LR, ModelSlot.LR), (OTHER_MLP, ModelSlot.MLP)])
    def test_whose_weights_arrive_damaged_make_room_for_the_factory_s(
        self, model: BlasterModel, slot: ModelSlot
    ) -> None:
        shelf = ModelStore()
        good = encode_mlmd(model)
        shelf.store(slot, good)
        shelf.load(slot)
        shelf.store(slot, good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(DeviceError):
            shelf.load(slot)
        assert not shelf.user_lr
        assert not shelf.user_mlp
        assert shelf.fingerprints == ModelStore().fingerprints

    @pytest.mark.parametrize("data", [b"", b"MLMX" + bytes(240), encode_mlmd(MLP), encode_mlmd(LR)[:-4]])
    def test_refused_before_their_weights_are_read_leave_what_served(self, data: bytes) -> None:
        shelf = ModelStore()
        shelf.store(ModelSlot.LR, encode_mlmd(OTHER_LR))
        shelf.load(ModelSlot.LR)
        shelf.store(ModelSlot.LR, data)
        with pytest.raises(DeviceError):
            shelf.load(ModelSlot.LR)
        assert shelf.user_lr
        assert shelf.fingerprints["lr_intercept"] == "-1.500000"

    def test_that_were_never_uploaded_cannot_be_loaded(self) -> None:
        with pytest.raises(DeviceError) as refused:
            EmulatedBlaster().load_model(ModelSlot.MLP)
        assert refused.value.reason == "load"

    def test_of_the_single_slot_may_be_of_either_kind(self) -> None:
        for model in (OTHER_LR, OTHER_MLP):
            shelf = ModelStore()
            shelf.store(ModelSlot.SINGLE, encode_mlmd(model))
            shelf.load(ModelSlot.SINGLE)
            assert (shelf.user_lr, shelf.user_mlp) == (model is OTHER_LR, model is OTHER_MLP)

    def test_in_flash_are_loaded_at_a_boot_and_deleted_ones_are_not(self) -> None:
        blaster = EmulatedBlaster()
        blaster.store_model(ModelSlot.MLP, encode_mlmd(OTHER_MLP))
        blaster.store_model(ModelSlot.LR, b"nonsense")
        blaster.reboot()
        assert blaster.model_status().fingerprints["mlp_b3"] == "0.250000"
        assert not blaster.model_status().user_has_lr
        blaster.delete_models()
        blaster.reboot()
        assert blaster.model_status().source == "factory"

    def test_give_outputs_whose_age_is_told(self) -> None:
        blaster = EmulatedBlaster()
        feed(blaster, moving(49))
        assert blaster.model_status().cached_age_ms == 2**32 - 1
        feed(blaster, moving(1, 490))
        blaster.pass_time(700)
        assert blaster.model_status().cached_age_ms == 210

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from hil.emulated.faults import FAULTS, DeviceFaults, Packet, parse_fault
from hil.emulated.faults.frames import FrameFault
from stinger.errors import InputError
from stinger.sample import CLOCK_WRAP_MS, axes
from stinger.wire.frames import FrameDecoder, encode_frames
from tests.helpers.samples import samples_at

COUNT = 4000


def plan(*faults: str, seed: str = "1") -> DeviceFaults:
    return DeviceFaults(map(parse_fault, faults), seed=seed)


def frames(count: int = COUNT) -> list[Packet]:
    return [Packet(i, encode_frames(samples_at([10 * i]), i)) for i in range(count)]


def sent(faults: DeviceFaults, packets: list[Packet]) -> list[Packet]:
    return [after for packet in packets for after in faults.packets(packet, packet.number / 100)]


def decoded(packets: list[Packet]) -> tuple[FrameDecoder, list[int], tuple[str, ...]]:
    decoder = FrameDecoder()
    block = decoder.feed(b"".join(packet.data for packet in packets))
    return decoder, list(block.sequence), block.lines


class TestFrames:
    def test_without_faults_are_unchanged(self) -> None:
        assert sent(plan(), frames(50)) == frames(50)

    def test_dropped_have_the_given_rate_and_are_counted_by_a_decoder(self) -> None:
        decoder, numbers, _ = decoded(sent(plan("drop:rate=0.1"), frames()))
        assert len(numbers) == pytest.approx(0.9 * COUNT, rel=0.03)
        assert decoder.lost == numbers[-1] - numbers[0] + 1 - len(numbers)

    def test_duplicated_are_sent_twice_in_a_row(self) -> None:
        decoder, numbers, _ = decoded(sent(plan("duplicate:rate=0.1"), frames()))
        assert sorted(set(numbers)) == list(range(COUNT))
        assert decoder.out_of_order == len(numbers) - COUNT == pytest.approx(0.1 * COUNT, rel=0.2)

    def test_reordered_are_late_by_the_given_number_and_none_is_lost(self) -> None:
        numbers = [packet.number for packet in sent(plan("reorder:rate=0.01,by=3,for=39"), frames())]
        assert sorted(numbers) == list(range(COUNT))
        late = [number for number, after in pairwise(numbers) if after < number]
        assert late
        assert all(1 <= numbers.index(n) - n <= 3 for n in numbers if numbers.index(n) > n)

    @pytest.mark.parametrize("name", ["corrupt", "cut"])
    def test_damaged_affect_at_most_the_next_one(self, name: str) -> None:
        _, numbers, _ = decoded(sent(plan(f"{name}:rate=0.05"), frames()))
        assert 0.88 * COUNT < len(numbers) < 0.97 * COUNT

    def test_corrupt_flips_the_given_number_of_bits(self) -> None:
        [packet] = plan("corrupt:rate=1,bits=5").packets(frames(1)[0], 0)
        before, after = (int.from_bytes(data) for data in (frames(1)[0].data, packet.data))
        assert (before ^ after).bit_count() == 5

    @pytest.mark.parametrize("name", ["garbage", "text"])
    def test_arrive_despite_foreign_bytes_between_them(self, name: str) -> None:
        _, numbers, lines = decoded(sent(plan(f"{name}:rate=0.2"), frames()))
        assert len(numbers) > 0.999 * COUNT
        assert len(lines) > 0.15 * COUNT or name == "garbage"

    def test_are_hit_only_while_the_fault_is_active(self) -> None:
        numbers = {packet.number for packet in sent(plan("drop:rate=1,start=2,for=3,every=10"), frames())}
        expected = {i for i in range(COUNT) if not (i >= 200 and (i - 200) % 1000 < 300)}
        assert numbers == expected

    def test_are_hit_reproducibly_with_the_same_seed(self) -> None:
        faults = ("drop", "corrupt", "garbage", "reorder")
        assert sent(plan(*faults), frames()) == sent(plan(*faults), frames())
        assert sent(plan(*faults), frames()) != sent(plan(*faults, seed="2"), frames())

    def test_are_hit_by_several_faults_in_order(self) -> None:
        packets = sent(plan("duplicate:rate=1", "text:rate=1"), frames(1))
        assert [packet.number for packet in packets] == [-1, 0, -1, 0]


class TestTime:
    def test_stall_ends_for_all_frames_at_once(self) -> None:
        faults = plan("stall:start=1,for=2")
        assert [t + faults.delay_s(t) for t in (0.5, 1.0, 2.5, 3.0)] == [0.5, 3.0, 3.0, 3.0]

    def test_jitter_stays_below_its_maximum(self) -> None:
        delays = [plan("jitter:ms=8").delay_s(0.0)] + [
            f.delay_s(t / 100) for f in [plan("jitter:ms=8")] for t in range(999)
        ]
        assert 0 <= min(delays) < 0.001
        assert 0.007 < max(delays) <= 0.008

    def test_drift_makes_the_clock_run_ahead(self) -> None:
        assert plan("drift:ppm=100").taken_s(3600) == pytest.approx(3600 - 0.36, abs=1e-4)
        assert plan("drift:ppm=-100").taken_s(3600) == pytest.approx(3600 + 0.36, abs=1e-4)
        windows = plan("drift:ppm=100000,start=10,for=11,every=20")
        assert windows.taken_s(45) == pytest.approx(45 - (11 + 11) * 0.1 / 1.1 - 0)

    def test_jump_steps_back_and_continues(self) -> None:
        faults = plan("jump:ms=700,start=5,every=5")
        assert [faults.clock_ms(ms, ms / 1000) for ms in (4990, 5000, 9990, 10_000)] == [4990, 4300, 9290, 8600]

    def test_wrap_passes_the_end_of_32_bits(self) -> None:
        faults = plan("wrap:before=2")
        assert faults.clock_ms(77_000, 0.0) == CLOCK_WRAP_MS - 2000
        assert faults.clock_ms(79_010, 2.01) % CLOCK_WRAP_MS == 10

    def test_reboot_restarts_the_clock_at_zero(self) -> None:
        faults = plan("reboot:start=5,for=1,every=10")
        assert [faults.clock_ms(ms, ms / 1000) for ms in (4990, 6000, 7000, 16_000, 16_500)] == [4990, 0, 1000, 0, 500]
        assert [faults.boots(t) for t in (4.9, 5.5, 6.0, 16.0)] == [0, 0, 1, 2]
        assert [faults.powered(t) for t in (4.9, 5.5, 6.0)] == [True, False, True]


class TestDevice:
    def test_has_no_port_while_unplugged_or_off(self) -> None:
        faults = plan("unplug:start=1,for=1", "reboot:start=4,for=1", "reboot:start=6,for=1,port=1")
        assert [faults.plugged_in(t) for t in (0.5, 1.5, 2.0, 4.5, 6.5)] == [True, False, True, False, True]

    def test_is_silent_while_the_fault_is_active(self) -> None:
        assert [plan("silent:start=1,for=1").silent(t) for t in (0.9, 1.0, 2.0)] == [False, True, False]

    def test_streams_at_another_rate_than_requested(self) -> None:
        assert [plan("rate:hz=1600,start=1,for=1").rate_hz(100, t) for t in (0, 1, 2)] == [100, 1600, 100]


class TestSensor:
    def test_faults_change_only_the_axes(self) -> None:
        sample = samples_at([10], trigger=[1], channels=[[-5, 3, 0, 900, -900, 1]])
        before = sample.copy()
        saturated = plan("saturated").sample(sample, 0.0)
        assert axes(saturated).tolist() == [[-32768, 32767, 32767, 32767, -32768, 32767]]
        assert axes(plan("zero").sample(sample, 0.0)).tolist() == [[0] * 6]
        assert saturated["trigger"].tolist() == [1]
        assert np.array_equal(sample, before)

    def test_stuck_repeats_the_last_good_sample(self) -> None:
        faults = plan("stuck:start=1")
        values = [
            axes(faults.sample(samples_at([0], channels=[[i] * 6]), t)).tolist()[0][0]
            for i, t in enumerate((0.5, 0.9, 1.0, 1.1))
        ]
        assert values == [0, 1, 1, 1]


class TestParsing:
    @pytest.mark.parametrize("name", FAULTS)
    def test_every_fault_has_help_and_works_without_parameters(self, name: str) -> None:
        assert (FAULTS[name].__doc__ or "").partition("\n")[0].endswith(".")
        fault = parse_fault(name)
        assert isinstance(fault, FAULTS[name])
        assert not isinstance(fault, FrameFault) or fault.rate == 0.01

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("explode", "no fault 'explode': expected drop, duplicate"),
            ("drop:speed=3", "has no 'speed': expected rate, start, for, every"),
            ("drop:rate=often", "rate is 'often', expected a number"),
            ("drop:rate=1.5", "rate is 1.5: expected 0 to 1"),
            ("drop:rate=nan", "rate is nan"),
            ("drop:start=-1", "start is -1: expected at least 0"),
            ("drop:for=-1", "for is -1"),
            ("stall:for=inf", "use the fault 'silent'"),
            ("unplug:for=5,every=5", "give a shorter 'for'"),
            ("wrap:start=3", "give only 'before'"),
            ("rate:hz=12.5", "expected a whole number"),
        ],
    )
    def test_mistake_is_reported_in_one_line(self, text: str, complaint: str) -> None:
        with pytest.raises(InputError) as refused:
            parse_fault(text)
        assert complaint in str(refused.value)
        assert "\n" not in str(refused.value)

    def test_common_parameters_are_parsed(self) -> None:
        fault = parse_fault("drop:rate=0.5,start=1,for=2,every=3")
        assert (fault.start, fault.duration, fault.every) == (1, 2, 3)
        assert math.isinf(parse_fault("drop").duration)


class TestCommands:
    LOG = b"MLDUMP1 4000\n" + bytes(4000) + b"\nMLDUMP_DONE\r\n"
    STATUS = b"[ml] model_source=user\r\n[ml] user_has_lr=1\r\n"

    def arrived(self, faults: DeviceFaults, data: bytes, *, chunk: int = 100) -> bytes:
        """Return what arrives of an upload that is sent in chunks, without repetition."""
        came = b""
        for start in range(0, len(data), chunk):
            came += faults.upload(data[start : start + chunk], len(data) - len(came), 0.0)
        return came

    def test_badcrc_flips_one_bit_of_the_given_number_of_uploads(self) -> None:
        faults, data = plan("badcrc:times=1"), bytes(1000)
        assert sum(byte.bit_count() for byte in self.arrived(faults, data)) == 1
        assert self.arrived(faults, data) == data

    def test_lostend_withholds_the_rest_of_one_upload(self) -> None:
        faults, data = plan("lostend:times=1"), bytes(1000)
        assert self.arrived(faults, data) == bytes(50)
        assert self.arrived(faults, data) == data

    def test_busy_refuses_the_given_number_of_requests(self) -> None:
        faults = plan("busy:times=2,start=1")
        assert [faults.busy(t) for t in (0.5, 1, 2, 3)] == [False, True, True, False]

    def test_cutlog_removes_the_middle_of_logs_only(self) -> None:
        faults = plan("cutlog:lost=300")
        assert faults.answer(self.STATUS, 0) == self.STATUS
        cut = faults.answer(self.LOG, 0)
        assert len(cut) == len(self.LOG) - 300
        assert (cut[:13], cut[-14:]) == (self.LOG[:13], self.LOG[-14:])

    def test_chatter_inserts_lines_but_not_within_a_log(self) -> None:
        faults = plan("chatter")
        assert len(faults.answer(self.STATUS, 0).splitlines()) == 4
        assert faults.answer(self.LOG, 0).endswith(b"\n" + self.LOG)

    def test_slow_limits_answers_while_it_is_active(self) -> None:
        faults = plan("slow:kb=20,start=1,for=1")
        assert [faults.answer_bytes_per_s(t) for t in (0, 1, 2)] == [math.inf, 20_000, math.inf]

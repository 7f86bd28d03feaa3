from __future__ import annotations

import asyncio
import os

import numpy as np
import pytest

from hil.emulated import EmulatedDevice, play_synthetic
from stinger.sample import CLOCK_WRAP_MS, SampleArray, axes
from stinger.wire.frames import FrameDecoder
from stinger.wire.stream import SampleStream
from tests.hil.emulating import SESSION, emulated, serial_host

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs ptys, which only POSIX has")


async def test_reboot_restarts_the_clock_and_ends_the_stream() -> None:
    def host(device: EmulatedDevice) -> tuple[bytes, SampleArray]:
        with serial_host(device.port.address) as host:
            host.stream(10)
            text = host.during(1.2)
            return text, np.concatenate(host.stream(10)[1])

    faults = ["reboot:start=0.5,for=0.3,port=1"]
    async with emulated(play_synthetic(1), faults=faults) as device:
        text, samples = await asyncio.to_thread(host, device)
    assert b"booting" in text
    assert samples["timestamp_ms"][0] < 2000
    assert device.blaster.journal.since(0)["time_ms"].min() == 0


async def test_wrap_of_the_clock_is_on_the_wire_but_not_in_the_scores() -> None:
    def host(device: EmulatedDevice) -> SampleArray:
        with serial_host(device.port.address) as host:
            return np.concatenate(host.stream(300)[1])

    async with emulated(play_synthetic(1), faults=["wrap:before=1"], speed=10) as device:
        samples = await asyncio.to_thread(host, device)
        device.blaster.inference.catch_up()
    assert int(samples["timestamp_ms"][0]) == CLOCK_WRAP_MS - 1000
    assert samples["timestamp_ms"][100:102].tolist() == [0, 10]
    assert np.isnan(device.blaster.journal.since(0)["probability"][:300]).sum() == 49


async def test_stall_delays_everything_and_loses_nothing() -> None:
    def host(device: EmulatedDevice) -> tuple[SampleStream, list[SampleArray]]:
        with serial_host(device.port.address) as host:
            return host.stream(150)

    async with emulated(SESSION, faults=["stall:start=0.5,for=0.5"]) as device:
        stream, blocks = await asyncio.to_thread(host, device)
    assert stream.frames.lost == stream.frames.out_of_order == 0
    journal = device.blaster.journal.since(0)[:150]
    late_s = (journal["written_ns"] - journal["due_ns"]) / 1e9
    assert late_s[50] >= 0.5
    assert late_s[75] >= 0.25
    # All at once, however often the machine interrupts this process.
    assert np.median(np.diff(journal["written_ns"][50:100])) < np.median(np.diff(journal["due_ns"][50:100])) / 3
    assert sum(block.shape[0] for block in blocks) >= 150


async def test_silent_device_keeps_its_port_open_and_sends_nothing() -> None:
    def host(device: EmulatedDevice) -> None:
        with serial_host(device.port.address) as host:
            host.stream(10)
            host.during(0.6)
            host.write(b"MLINFO\n")
            assert host.some(0.2) == b""

    async with emulated(play_synthetic(1), faults=["silent:start=0.5"]) as device:
        await asyncio.to_thread(host, device)


async def test_stream_at_1600_hz_repeats_samples_in_time() -> None:
    def host(device: EmulatedDevice) -> SampleArray:
        with serial_host(device.port.address) as host:
            return np.concatenate(host.stream(800)[1])

    async with emulated(SESSION, faults=["rate:hz=1600"]) as device:
        samples = await asyncio.to_thread(host, device)
    assert np.array_equal(axes(samples)[:800:16], axes(SESSION)[:50])
    steps = np.diff(samples["timestamp_ms"][:800])
    assert steps.min() == 0
    assert steps.max() == 1


async def test_dropped_frames_are_not_written_in_the_journal() -> None:
    def host(device: EmulatedDevice) -> set[int]:
        with serial_host(device.port.address) as host:
            host.write(b"MLSTREAM 100\n")
            decoder = FrameDecoder()
            data = host.during(0.7)
            return set(decoder.feed(data[data.index(b"\n") + 1 :]).sequence)

    async with emulated(SESSION, faults=["drop:rate=0.3"], speed=10) as device:
        came = await asyncio.to_thread(host, device)
        journal = device.blaster.journal.since(0)
    known = journal[journal["sequence"] <= max(came)]
    assert set(known["sequence"][known["written_ns"] > 0].tolist()) == came
    assert 0.5 < len(came) / known.shape[0] < 0.85

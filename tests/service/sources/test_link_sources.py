from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import serial

from service.base.source import LinkState
from service.sources.device_stream import LinkTiming
from service.sources.port_discovery import BlasterPort
from service.sources.serial_source import SerialSource
from service.sources.tcp_source import TcpSource
from stinger.device_name import DeviceName
from stinger.wire.text_stream import STARTED
from tests.helpers.patience import PATIENCE_S
from tests.helpers.samples import counting_samples, random_samples
from tests.service.sources.blaster_ends import answer, listening, plugged_in
from tests.service.sources.collecting import Collecting, CollectingSingles, running

QUICK = LinkTiming(
    silence_s=0.15,
    open_grace_s=0.3,
    request_interval_s=0.1,
    stable_s=0.05,
    report_s=0.01,
    connect_s=0.2,
    close_s=0.1,
    first_retry_s=0.002,
    longest_retry_s=0.01,
)
NEVER_SILENT = replace(QUICK, silence_s=PATIENCE_S, open_grace_s=PATIENCE_S, connect_s=PATIENCE_S)
"""For tests of what is not silence, which a process that is held up for a moment would otherwise show as well."""
SAMPLES = counting_samples(1000, 60)


def serial_source(path: Path, timing: LinkTiming = NEVER_SILENT) -> SerialSource:
    return SerialSource(f"serial://{path}", DeviceName("blaster"), str(path), timing=timing)


def tcp_source(port: int, timing: LinkTiming = NEVER_SILENT) -> TcpSource:
    return TcpSource(f"tcp://127.0.0.1:{port}", DeviceName("blaster"), "127.0.0.1", port, timing=timing)


@pytest.mark.parametrize("size", [1, 7, 24, 1000])
async def test_serial_delivers_every_sample_however_bytes_are_split(tmp_path: Path, size: int) -> None:
    intake = Collecting()
    async with plugged_in(tmp_path / "port") as end, running(serial_source(tmp_path / "port"), intake):
        link = await answer(end)
        data = link.samples(SAMPLES)
        for start in range(0, len(data), size):
            end.write(data[start : start + size])
            if size > 1:
                await asyncio.sleep(0)
        await intake.until_samples(SAMPLES.size)
    assert intake.samples.tobytes() == SAMPLES.tobytes()
    assert intake.states == [LinkState.CONNECTING, LinkState.STREAMING]
    assert {block.boot for block in intake.blocks} == {0}
    assert all(block.taken_s.shape == block.samples.shape for block in intake.blocks)


async def test_samples_that_arrive_alone_are_passed_on_one_by_one_in_their_order_among_blocks(tmp_path: Path) -> None:
    samples = counting_samples(1000, 120)
    intake = CollectingSingles()
    port = str(tmp_path / "port")
    timing = replace(QUICK, silence_s=PATIENCE_S, report_s=PATIENCE_S)
    async with (
        plugged_in(tmp_path / "port") as end,
        running(SerialSource(f"serial://{port}", DeviceName("b"), port, timing=timing), intake),
    ):
        link = await answer(end)
        data = link.samples(samples)
        frame_bytes = len(data) // samples.size
        for start in range(0, len(data), frame_bytes):
            end.write(data[start : start + frame_bytes])
            if start % (5 * frame_bytes):  # every fifth waits for the next one
                await intake.until_records(start // frame_bytes + 1)
    assert b"".join(intake.records) == samples.tobytes()
    assert intake.singles > samples.size // 3


async def test_tcp_delivers_every_sample_and_stops_the_stream_when_cancelled() -> None:
    intake = Collecting()
    async with listening() as server:
        async with running(tcp_source(server.port), intake):
            end = await server.next()
            end.write((await answer(end)).samples(SAMPLES))
            await intake.until_samples(SAMPLES.size)
        await end.wait_for(b"MLSTREAM 0\n")
    assert intake.samples.tobytes() == SAMPLES.tobytes()


async def test_source_reconnects_after_unplugging(tmp_path: Path) -> None:
    port, intake = tmp_path / "port", Collecting()
    async with running(serial_source(port), intake):
        await intake.until_state(LinkState.LOST)
        assert "unplugged" in intake.reports[-1].reason
        async with plugged_in(port) as end:
            end.write((await answer(end)).samples(SAMPLES[:30]))
            await intake.until_samples(30)
        await intake.until_state(LinkState.LOST)
        async with plugged_in(port) as end:
            end.write((await answer(end)).samples(SAMPLES[30:]))
            await intake.until_samples(60)
            await intake.until_state(LinkState.STREAMING)
    lost, streaming = LinkState.LOST, LinkState.STREAMING
    assert intake.states == [LinkState.CONNECTING, lost, streaming, lost, streaming]
    assert intake.samples.tobytes() == SAMPLES.tobytes()
    assert intake.reports[-1].counters.reconnects >= 2


async def test_old_text_stream_is_read_and_starts_another_boot_per_link() -> None:
    intake = Collecting()
    rows = f"{STARTED}\r\n".encode() + b"1;2;3;4;5;6;0\r\n" * 161
    async with listening() as server, running(tcp_source(server.port), intake):
        for boot in range(2):
            end = await server.next()
            await end.wait_for(b"M")
            end.write(rows + b"1;2\r\n")
            await intake.until_samples(11 * (boot + 1))
            end.hang_up()
        await intake.until_state(LinkState.LOST)
    assert intake.samples["timestamp_ms"].tolist() == [*range(0, 110, 10)] * 2
    assert [block.boot for block in intake.blocks][-1] == 1
    assert intake.reports[-1].counters.corrupted == 2


async def test_refused_connection_is_logged_once_and_retried_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    intake = Collecting()
    caplog.set_level(logging.DEBUG, logger="service")
    async with running(tcp_source(port), intake):
        await intake.until_state(LinkState.LOST)
        await asyncio.sleep(0.1)
        async with listening(port) as server:
            end = await server.next()
            end.write((await answer(end)).samples(SAMPLES))
            await intake.until_samples(SAMPLES.size)
    refused = next(report for report in intake.reports if report.state is LinkState.LOST)
    assert "refused" in refused.reason
    assert intake.reports[-1].counters.reconnects > 1
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "INFO"]


async def test_silent_link_is_reported_and_reopened() -> None:
    intake = Collecting()
    async with listening() as server, running(tcp_source(server.port, QUICK), intake):
        end = await server.next()
        end.write((await answer(end)).samples(SAMPLES[:10]))
        await intake.until_state(LinkState.SILENT)  # half open: neither data nor a close arrives
        end = await server.next()
        end.write((await answer(end)).samples(SAMPLES[10:]))
        await intake.until_samples(SAMPLES.size)
    assert intake.states == [LinkState.CONNECTING, LinkState.STREAMING, LinkState.SILENT, LinkState.STREAMING]


async def test_slowly_starting_board_is_requested_again_on_the_same_link() -> None:
    intake = Collecting()
    async with listening() as server, running(tcp_source(server.port), intake):
        end = await server.next()
        await end.wait_for(b"MLSTREAM 100\nMLSTREAM 100\n")
        end.write((await answer(end)).samples(SAMPLES))
        await intake.until_samples(SAMPLES.size)
        assert len(server.ends) == 1


async def test_noise_is_not_a_stream() -> None:
    intake = Collecting()
    noise = np.random.default_rng(1).bytes(3000)
    async with listening() as server, running(tcp_source(server.port, QUICK), intake):
        first = await server.next()
        task = asyncio.create_task(_repeat(first, noise))
        await server.next()
        task.cancel()
    assert intake.samples.size == 0
    silent = next(report for report in intake.reports if report.state is LinkState.SILENT)
    assert "baud rate" in silent.reason
    assert intake.reports[-1].counters.corrupted > 0


async def test_damage_loses_only_the_damaged_sample_and_is_counted(tmp_path: Path) -> None:
    intake = Collecting()
    async with plugged_in(tmp_path / "port") as end, running(serial_source(tmp_path / "port", QUICK), intake):
        data = bytearray((await answer(end)).samples(SAMPLES))
        data[24 * 10 + 5] ^= 0xFF  # the frame of sample 10
        end.write(bytes(data))
        await intake.until_samples(SAMPLES.size - 1)
        await asyncio.sleep(0.02)
        end.write(bytes(24))  # not a frame, but it makes a report due
        await intake.until_state(LinkState.SILENT)
    assert intake.samples.tobytes() == np.delete(SAMPLES, 10).tobytes()
    assert intake.reports[-1].counters.lost == 1
    assert intake.reports[-1].counters.corrupted == 1


async def test_fast_stream_is_thinned_to_100_hz(tmp_path: Path) -> None:
    intake = Collecting()
    fast = counting_samples(5, 1600, 0.625)
    async with plugged_in(tmp_path / "port") as end, running(serial_source(tmp_path / "port"), intake):
        link = await answer(end)
        for start in range(0, 1600, 16):
            end.write(link.samples(fast[start : start + 16]))
            await asyncio.sleep(0.001)
        await intake.until_samples(100)
    assert intake.samples.size == 100
    assert set(np.diff(intake.samples["timestamp_ms"][1:].astype(np.int64)).tolist()) <= {9, 10, 11}


async def test_slow_stream_is_delivered_unscored_with_a_reason_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="service")
    intake = Collecting()
    slow = counting_samples(5, 300, 20)
    timing = replace(NEVER_SILENT, report_s=0.0)
    async with plugged_in(tmp_path / "port") as end, running(serial_source(tmp_path / "port", timing), intake):
        link = await answer(end)
        for start in range(0, 300, 5):
            end.write(link.samples(slow[start : start + 5]))
            await asyncio.sleep(0.001)
        await intake.until_reason("not scored: it has 50 samples a second; models take 100")
        await intake.until_samples(300)
        await intake.until(lambda got: got.reports[-1].counters.samples == 300)
    assert intake.samples.tobytes() == slow.tobytes()
    assert {block.rate_problem for block in intake.blocks[20:]} == {"50 samples a second; models take 100"}
    assert intake.reports[-1].counters.unscored > 200
    assert ["rate_unusable" in record.getMessage() for record in caplog.records].count(True) == 1


async def test_bridge_in_telnet_mode_is_recognised(tmp_path: Path) -> None:
    intake = Collecting()
    samples = random_samples(400)
    async with plugged_in(tmp_path / "port") as end, running(serial_source(tmp_path / "port", QUICK), intake):
        link = await answer(end)
        for start in range(0, 400, 5):
            end.write(link.samples(samples[start : start + 5]).replace(b"\xff", b"\xff\xff"))
            await asyncio.sleep(0.002)
        report = await intake.until_reason("looks like telnet mode")
    assert "raw" in report.reason


async def test_auto_waits_until_a_blaster_is_plugged_in(tmp_path: Path) -> None:
    found: list[BlasterPort] = []
    intake = Collecting()
    source = SerialSource("serial://auto", DeviceName("blaster"), None, timing=QUICK, find=lambda: found, rescan_s=0.01)
    async with running(source, intake):
        await intake.until_state(LinkState.LOST)
        assert "no blaster is plugged in" in intake.reports[-1].reason
        async with plugged_in(tmp_path / "port") as end:
            found.append(BlasterPort(str(tmp_path / "port"), "E660"))
            end.write((await answer(end)).samples(SAMPLES))
            await intake.until_samples(SAMPLES.size)


async def test_stream_over_a_port_is_stopped_when_cancelled(tmp_path: Path) -> None:
    intake = Collecting()
    async with plugged_in(tmp_path / "port") as end:
        async with running(serial_source(tmp_path / "port"), intake):
            end.write((await answer(end)).samples(SAMPLES))
            await intake.until_samples(SAMPLES.size)
        await end.wait_for(b"MLSTREAM 0\n")


async def test_port_in_use_is_reported_as_such(tmp_path: Path) -> None:
    first, second = Collecting(), Collecting()
    async with plugged_in(tmp_path / "port") as end, running(serial_source(tmp_path / "port"), first):
        end.write((await answer(end)).samples(SAMPLES))
        await first.until_samples(SAMPLES.size)
        async with running(serial_source(tmp_path / "port"), second):
            await second.until_state(LinkState.LOST)
    assert "in use" in second.reports[-1].reason


async def test_low_latency_mode_is_requested_for_every_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requested: list[bool] = []
    monkeypatch.setattr(serial.Serial, "set_low_latency_mode", lambda _, wanted: requested.append(wanted))
    intake = Collecting()
    async with plugged_in(tmp_path / "port") as end, running(serial_source(tmp_path / "port"), intake):
        await end.wait_for(b"M")
    assert requested == [True]


async def test_slow_intake_slows_the_link_and_loses_nothing() -> None:
    many = counting_samples(0, 20_000)
    intake = Collecting(pace_s=0.002)
    async with listening() as server, running(tcp_source(server.port, QUICK), intake):
        end = await server.next()
        end.write((await answer(end)).samples(many))
        await intake.until_samples(many.size)
    assert intake.samples.tobytes() == many.tobytes()
    assert LinkState.SILENT not in intake.states


@pytest.mark.parametrize("moment", ["opening", "requested", "waiting"])
async def test_cancelling_at_any_moment_closes_everything(tmp_path: Path, moment: str) -> None:
    async with plugged_in(tmp_path / "port") as end:
        for wait_s in (0.0, 0.0005, 0.001, 0.002, 0.005):
            async with running(serial_source(tmp_path / "port"), Collecting()):
                if moment == "requested":
                    await end.wait_for(b"MLSTREAM 100\n")
                    end.received = b""
                if moment != "opening":
                    await asyncio.sleep(wait_s)


async def _repeat(end: object, data: bytes) -> None:
    while True:
        end.write(data)  # type: ignore[attr-defined] # any end
        await asyncio.sleep(0.005)

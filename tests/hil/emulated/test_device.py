from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack
from pathlib import Path

import numpy as np
import pytest

from hil.emulated import EmulatedBlaster, EmulatedDevice, Firmware, Port, PtyPort, TcpPort, play_synthetic
from hil.emulated.factory import factory_models
from models.synthetic import synthesise
from stinger.mlmd import MlpModel, encode_mlmd
from stinger.sample import SampleArray, axes
from stinger.wire.commands import ModelSlot
from stinger.wire.frames import FrameDecoder
from stinger.wire.stream import SampleStream, StreamKind
from tests.helpers.patience import PATIENCE_S
from tests.helpers.samples import samples_at
from tests.hil.emulating import SESSION, Host, dump, emulated, serial_host, tcp_host, upload

LR_MODEL = encode_mlmd(factory_models()[0])

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs ptys, which only POSIX has")


def recorded(stream: tuple[SampleStream, list[SampleArray]]) -> SampleArray:
    return np.concatenate(stream[1])


class Reread(EmulatedBlaster):
    """Counts how often its log is read."""

    reads = 0

    def read_log(self) -> bytes:
        self.reads += 1
        return super().read_log()


async def until(condition: Callable[[], bool], *, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never became true"
        await asyncio.sleep(0.01)


def until_closed(device: EmulatedDevice) -> None:
    """Wait, in another thread than the device's, until it has noticed that the host has closed the port."""
    deadline = time.monotonic() + PATIENCE_S
    while device.port.connection is not None:
        assert time.monotonic() < deadline, "the device never noticed that the port was closed"
        time.sleep(0.01)


def over(port: Port, device: EmulatedDevice) -> AbstractContextManager[Host]:
    return tcp_host(device.port.address) if isinstance(port, TcpPort) else serial_host(device.port.address)


@pytest.mark.parametrize("kind", ["pty", "tcp"])
class TestAnyPort:
    """Behaviour that is the same on a pty and a socket."""

    @pytest.fixture
    def port(self, kind: str) -> Port:
        return PtyPort() if kind == "pty" else TcpPort()

    async def test_log_is_fetched_completely(self, port: Port) -> None:
        logged = synthesise(minutes=14, seed=2, still_pause=False)

        def host(device: EmulatedDevice) -> bytes:
            with over(port, device) as host:
                assert host.ask(b"MLINFO") == b"[ml] samples_written=84000 (~840.0s)"
                return dump(host)

        async with emulated(SESSION, port=port, blaster=EmulatedBlaster(logged=logged)) as device:
            assert await asyncio.to_thread(host, device) == logged.tobytes()

    async def test_model_is_uploaded_and_used(self, port: Port) -> None:
        def host(device: EmulatedDevice) -> None:
            with over(port, device) as host:
                assert upload(host, b"_LR", LR_MODEL) == b"[ml] MLMODEL_OK"
                assert host.ask(b"MLMODEL_LOAD_LR") == b"[ml] MLMODEL_LOADED"
                assert host.ask(b"MLMODEL_LOAD_MLP") == b"[ml] MLMODEL_ERR load"
                assert host.ask(b"MLMODEL_INFO") == b"[ml] model_source=user"

        async with emulated(SESSION, port=port) as device:
            await asyncio.to_thread(host, device)

    async def test_interrupted_upload_takes_the_bytes_of_the_next_connection(self, port: Port) -> None:
        def host(device: EmulatedDevice) -> list[bytes]:
            with over(port, device) as host:
                assert host.ask(b"MLMODEL_PUT_LR 10 00000000") == b"[ml] MLMODEL_READY"
                host.write(b"123")
            until_closed(device)
            with over(port, device) as host:
                return [host.ask(b"MLINFO"), host.ask(b"MLINFO")]

        async with emulated(SESSION, port=port) as device:
            answers = await asyncio.to_thread(host, device)
        assert answers == [b"[ml] MLMODEL_ERR crc", b"[ml] samples_written=0 (~0.0s)"]

    async def test_slow_answer_is_complete_and_rate_limited(self, port: Port) -> None:
        def host(device: EmulatedDevice) -> bytes:
            with over(port, device) as host:
                begun = time.monotonic()
                log = dump(host)
                assert time.monotonic() - begun > 0.3  # at least that long, whatever the machine does
                return log

        blaster = EmulatedBlaster(logged=SESSION)
        async with emulated(SESSION, port=port, blaster=blaster, faults=["slow:kb=40"]) as device:
            assert await asyncio.to_thread(host, device) == SESSION.tobytes()

    async def test_stream_is_the_recording_and_the_journal_has_its_times(self, port: Port) -> None:
        def host(device: EmulatedDevice) -> tuple[SampleStream, list[SampleArray]]:
            with over(port, device) as host:
                return host.stream(SESSION.shape[0])

        async with emulated(SESSION, port=port, speed=20) as device:
            stream, blocks = await asyncio.to_thread(host, device)
            await device.playback_ended.wait()
        assert stream.kind is StreamKind.FRAMES
        assert np.array_equal(np.concatenate(blocks), SESSION)
        journal = device.blaster.journal.since(0)
        assert np.array_equal(journal["sample"], SESSION)
        assert journal["sequence"].tolist() == list(range(SESSION.shape[0]))
        assert (journal["written_ns"] >= journal["due_ns"]).all()
        assert np.diff(journal["due_ns"]).tolist() == pytest.approx([500_000] * (SESSION.shape[0] - 1), abs=1)

    async def test_reconnected_host_gets_a_new_stream(self, port: Port) -> None:
        def host(device: EmulatedDevice) -> list[int]:
            numbers = []
            for _ in range(3):
                with over(port, device) as host:
                    host.write(b"MLSTREAM 100\n")
                    assert host.line() == b"MLSTREAM1 100"
                    numbers.append(FrameDecoder().feed(host.exactly(24)).sequence[0])
                until_closed(device)
            return numbers

        async with emulated(SESSION, port=port) as device:
            assert await asyncio.to_thread(host, device) == [0, 0, 0]

    async def test_host_that_never_reads_only_loses_frames(self, port: Port) -> None:
        def host(device: EmulatedDevice) -> None:
            with over(port, device) as host:
                host.write(b"MLSTREAM 1600\n")
                deadline = time.monotonic() + PATIENCE_S
                while not device.transmitter.counts.dropped and time.monotonic() < deadline:
                    time.sleep(0.05)

        async with emulated(play_synthetic(1), port=port, speed=30) as device:
            await asyncio.to_thread(host, device)
            assert device.transmitter.counts.dropped > 0
            taken = device.blaster.journal.count
            await until(lambda: device.blaster.journal.count > taken + 100)

    async def test_host_that_asks_and_never_reads_cannot_fill_the_memory(self, port: Port) -> None:
        logged = np.resize(SESSION, 84_000)

        def host(device: EmulatedDevice) -> None:
            with over(port, device) as host:
                host.write(b"MLDUMP\n" * 300)
                time.sleep(0.3)

        blaster = Reread(logged=logged)
        async with emulated(SESSION, port=port, blaster=blaster) as device:
            await asyncio.to_thread(host, device)
            await until(lambda: device.port.connection is None)
        assert blaster.reads < 4

    async def test_unplugged_port_returns_under_the_same_name(self, port: Port, kind: str, tmp_path: Path) -> None:
        if kind == "pty":
            port = PtyPort(tmp_path / "blaster")

        def host(device: EmulatedDevice) -> None:
            address = device.port.address
            with over(port, device) as host:
                assert host.stream(10)[0].frames.frames >= 10
                host.during(0.9)
                assert host.some(0.2) == b""
            with pytest.raises(OSError, match=r"refused|No such file"):
                over(port, device).__enter__()
            deadline = time.monotonic() + PATIENCE_S
            while True:
                try:
                    again = over(port, device)
                    with again as host:
                        assert host.stream(10)[0].frames.frames >= 10
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            assert device.port.address == address

        async with emulated(play_synthetic(3), port=port, faults=["unplug:start=0.5,for=1.5"]) as device:
            await asyncio.to_thread(host, device)


class TestFirmware:
    async def test_old_firmware_prints_rows_after_any_character(self) -> None:
        def host(device: EmulatedDevice) -> SampleArray:
            with serial_host(device.port.address) as host:
                assert host.some(0.2) == b""
                stream = host.stream(40)
                assert stream[0].kind is StreamKind.TEXT
                return recorded(stream)

        async with emulated(SESSION, firmware=Firmware.OLD) as device:
            samples = await asyncio.to_thread(host, device)
        assert np.array_equal(axes(samples)[:40], axes(SESSION)[:40])
        assert np.array_equal(samples["trigger"][:40], SESSION["trigger"][:40])

    async def test_old_firmware_prints_each_sample_16_times_and_not_faster_than_1600_rows_a_second(self) -> None:
        def host(device: EmulatedDevice) -> tuple[list[bytes], float]:
            with serial_host(device.port.address) as host:
                host.write(b"x")
                host.line()
                begun_s = time.monotonic()
                return [host.line() for _ in range(800)], time.monotonic() - begun_s

        async with emulated(SESSION, firmware=Firmware.OLD) as device:
            rows, took_s = await asyncio.to_thread(host, device)
        assert rows == [row for row in rows[::16] for _ in range(16)]
        assert took_s > 0.45  # at least that long, whatever the machine does

    async def test_stock_firmware_has_no_stream(self) -> None:
        def host(device: EmulatedDevice) -> None:
            with serial_host(device.port.address) as host:
                host.write(b"MLSTREAM 100\n")
                assert host.some(0.2) == b""
                assert host.ask(b"MLINFO").startswith(b"[ml] samples_written=")

        async with emulated(SESSION, firmware=Firmware.STOCK, wait=False) as device:
            await asyncio.to_thread(host, device)

    @pytest.mark.parametrize(("rate_hz", "step_ms"), [(50, 20), (25, 40)])
    async def test_stream_of_a_lower_rate_skips_samples(self, rate_hz: int, step_ms: int) -> None:
        def host(device: EmulatedDevice) -> SampleArray:
            with serial_host(device.port.address) as host:
                host.write(b"MLSTREAM %d\n" % rate_hz)
                host.line()
                return FrameDecoder().feed(host.exactly(24 * 20)).samples

        async with emulated(SESSION, speed=5) as device:
            samples = await asyncio.to_thread(host, device)
        assert np.diff(samples["timestamp_ms"]).tolist() == [step_ms] * 19


class TestSafety:
    async def test_logging_pauses_while_the_port_is_open(self) -> None:
        def host(device: EmulatedDevice) -> tuple[int, int]:
            with serial_host(device.port.address) as host:
                first = int(host.ask(b"MLINFO").split(b"=")[1].split()[0])
                time.sleep(0.3)
                return first, int(host.ask(b"MLINFO").split(b"=")[1].split()[0])

        async with emulated(play_synthetic(1), wait=False) as device:
            await until(lambda: device.blaster.samples_written() > 10)
            first, second = await asyncio.to_thread(host, device)
            assert first == second > 10
            await until(lambda: device.blaster.samples_written() > second)

    async def test_unread_data_is_discarded_before_the_next_host(self) -> None:
        def host(device: EmulatedDevice) -> bytes:
            with serial_host(device.port.address) as host:
                host.write(b"MLSTREAM 100\n")
                time.sleep(0.3)
            until_closed(device)
            with serial_host(device.port.address) as host:
                return host.ask(b"MLINFO")

        async with emulated(SESSION) as device:
            assert (await asyncio.to_thread(host, device)).startswith(b"[ml] samples_written=")

    async def test_bytes_are_not_translated_for_a_host_that_sets_no_options(self) -> None:
        logged = samples_at([0x0D0A0D0A, 0x11131103, 0x7F041A1C])

        def host(device: EmulatedDevice) -> bytes:
            with serial_host(device.port.address) as host:
                return dump(host)

        async with emulated(SESSION, blaster=EmulatedBlaster(logged=logged)) as device:
            assert await asyncio.to_thread(host, device) == logged.tobytes()

    async def test_stalled_upload_times_out(self) -> None:
        def host(device: EmulatedDevice) -> bytes:
            with serial_host(device.port.address) as host:
                assert host.ask(b"MLMODEL_PUT_LR 244 00000000") == b"[ml] MLMODEL_READY"
                return host.line()

        async with emulated(SESSION, upload_timeout_s=0.2) as device:
            assert await asyncio.to_thread(host, device) == b"[ml] MLMODEL_ERR timeout"

    async def test_model_uploaded_during_a_stream_is_used_from_then_on(self) -> None:
        weights = {name: np.zeros(shape, np.float32) for name, shape in MlpModel.SHAPES.items()}
        weights["b3"] = np.array(-100, np.float32)
        never = encode_mlmd(MlpModel(**weights))
        moving = samples_at(10 * np.arange(50_000), channels=np.full((50_000, 6), 900))

        def host(device: EmulatedDevice) -> None:
            with serial_host(device.port.address) as host:
                host.write(b"MLSTREAM 100\n")
                host.exactly(24 * 70)
                device.blaster.store_model(ModelSlot.MLP, never)
                host.write(b"MLMODEL_LOAD_MLP\n")
                sent = b""
                while b"MLMODEL_LOADED" not in sent:
                    sent += host.some()
                taken = device.blaster.journal.count
                while device.blaster.journal.count < taken + 5:
                    host.some()

        async with emulated(moving, speed=4) as device:
            await asyncio.to_thread(host, device)
            device.blaster.inference.catch_up()
            probability = device.blaster.journal.since(0)["probability"]
        assert np.isnan(probability[:49]).all()
        assert (probability[49:65] > 0).all()
        assert probability[-1] < 1e-9


async def test_fifty_devices_in_one_loop_stream_without_loss() -> None:
    hosts: list[Host] = []
    async with AsyncExitStack() as devices_stack:
        devices = [await devices_stack.enter_async_context(emulated(SESSION, phase_s=i / 5000)) for i in range(50)]
        with ExitStack() as stack:
            for device in devices:
                hosts.append(stack.enter_context(serial_host(device.port.address)))
                hosts[-1].write(b"MLSTREAM 100\n")
            await until(lambda: all(device.transmitter.counts.written > 100 for device in devices))
        assert sum(device.transmitter.counts.dropped for device in devices) == 0

"""The parts of the bench: workload, relay, observer, processes, and the parsing of device and broker."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from hil.bench.broker import parse_broker
from hil.bench.daemon import read_recordings
from hil.bench.device_under_test import DeviceSpec, EmulatorOptions, EmulatorProcess, ExternalDevice, parse_device
from hil.bench.host_wakeup import HostWakeupMonitor
from hil.bench.observer import MessageObserver
from hil.bench.processes import ChildProcess, ProcessError, StarvedError, stinger_command
from hil.bench.relay import TcpRelay
from hil.bench.workload import make_workload
from models.synthetic import synthesise
from stinger.errors import InputError
from stinger.logs import write_log
from stinger.recording import split_recordings
from stinger.shots import find_shots
from tests.helpers.brokers import Mosquitto, until
from tests.helpers.patience import PATIENCE_S, mqtt_client
from tests.helpers.samples import random_samples


def python(code: str, folder: Path) -> ChildProcess:
    return ChildProcess("the process", [sys.executable, "-c", code], folder / "process.log")


def test_workload_is_the_excerpt_with_the_most_shots_and_reproducible() -> None:
    samples = make_workload("synthetic", 8, seed=1, shots=True)
    (recording,) = split_recordings(samples)
    assert np.array_equal(samples, make_workload("synthetic", 8, seed=1, shots=True))
    assert (samples.size, np.unique(np.diff(recording.time_ms)).tolist()) == (800, [10])
    busy = len(find_shots(recording))
    assert busy > len(find_shots(split_recordings(make_workload("synthetic", 8, seed=1, shots=False))[0]))


def test_short_recording_is_repeated_with_continuing_timestamps(tmp_path: Path) -> None:
    session = synthesise(minutes=0.05, seed=2, still_pause=False)
    write_log(tmp_path / "s.bin", session)
    samples = make_workload(str(tmp_path / "s.bin"), 9, seed=1, shots=True)
    assert samples.size == 900
    assert np.array_equal(samples["gx"][: session.size], session["gx"])
    assert np.array_equal(samples["gx"][session.size : 2 * session.size], session["gx"])
    assert (np.diff(samples["timestamp_ms"].astype(np.int64)) == 10).all()


def test_recording_with_another_rate_is_refused(tmp_path: Path) -> None:
    samples = random_samples(100)
    samples["timestamp_ms"] = 20 * np.arange(100)
    write_log(tmp_path / "s.bin", samples)
    with pytest.raises(InputError, match=r"the bench plays 100 Hz, but this is 50\.0 Hz"):
        make_workload(str(tmp_path / "s.bin"), 5, seed=1, shots=True)


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """Run a server that sends back what it receives, and return its port."""
    open_now: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.add(writer)
        while data := await reader.read(100):
            writer.write(data)
        writer.close()
        open_now.discard(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in open_now:
            writer.close()


async def test_relay_passes_data_in_both_directions() -> None:
    async with echo() as port, TcpRelay("127.0.0.1", port) as relay, asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_delayed_relay_keeps_the_order() -> None:
    loop = asyncio.get_running_loop()
    async with echo() as port, TcpRelay("127.0.0.1", port) as relay, asyncio.timeout(PATIENCE_S):
        relay.delay_s = 0.1
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        began_s = loop.time()
        writer.write(b"a")
        await asyncio.sleep(0.01)
        writer.write(b"b")
        assert await reader.readexactly(2) == b"ab"
        assert loop.time() - began_s >= 0.2
        writer.close()


async def test_refusing_relay_closes_existing_and_new_connections() -> None:
    async with echo() as port, TcpRelay("127.0.0.1", port) as relay, asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"a")
        await reader.readexactly(1)
        relay.refuse()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        relay.accept()
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"b")
        assert await reader.readexactly(1) == b"b"
        writer.close()


async def test_half_open_connection_stays_silent_and_the_next_one_works() -> None:
    async with echo() as port, TcpRelay("127.0.0.1", port) as relay, asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"a")
        await reader.readexactly(1)
        relay.leave_half_open()
        writer.write(b"b")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", relay.port)
        other_writer.write(b"c")
        assert await other_reader.readexactly(1) == b"c"
        other_writer.close()
        writer.close()


async def publish(port: int, payload: bytes) -> None:
    async with mqtt_client(port) as client:
        await client.publish("stinger/d0/shot", payload, qos=1)


async def test_observer_stamps_messages_and_reconnects_to_a_restarted_broker(tmp_path: Path) -> None:
    broker = Mosquitto(
        tmp_path / "m", settings=f"allow_anonymous true\npersistence true\npersistence_location {tmp_path}/"
    )
    broker.start()
    try:
        async with MessageObserver("127.0.0.1", broker.port, "observer") as observer:
            await publish(broker.port, b"1")
            await until(lambda: bool(observer.messages()))
            broker.stop()
            broker.start()
            await publish(broker.port, b"2")
            await until(lambda: observer.messages()[-1].payload == b"2")
            first, *redelivered, last = observer.messages()
    finally:
        broker.kill()
    assert (first.topic, first.payload) == ("stinger/d0/shot", b"1")
    # The broker delivers the first message again if it stopped before it read the acknowledgement.
    assert [message.payload for message in redelivered] in ([], [b"1"])
    assert first.at_ns < last.at_ns


async def test_process_is_awaited_stopped_and_started_again(tmp_path: Path) -> None:
    async with python("import time; print('ready 7', flush=True); time.sleep(60)", tmp_path) as process:
        assert (await process.wait_for(r"^ready (\d)$"))[1] == "7"
        assert await process.stop() == -15
        process.start()
        await process.wait_for("ready")
        pid = process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_process_that_ends_early_is_reported_with_its_last_line(tmp_path: Path) -> None:
    async with python("raise SystemExit('no port')", tmp_path) as process:
        with pytest.raises(ProcessError, match="the process ended: no port"):
            await process.wait_for("ready")


async def test_process_that_ended_by_itself_is_reported(tmp_path: Path) -> None:
    async with python("print('broken'); raise SystemExit(3)", tmp_path) as process:
        process.check_running()
        await process.wait_for("broken")
        with pytest.raises(ProcessError, match="the process ended: broken"):
            await process.wait_for("never")
        with pytest.raises(ProcessError, match="the process ended: broken"):
            process.check_running()


async def test_process_that_is_late_without_having_lacked_a_processor_failed(tmp_path: Path) -> None:
    async with python("import time; time.sleep(600)", tmp_path) as process:
        assert not isinstance(process.late_error("it is late", 5.0, process.cpu_wait_s()), StarvedError)


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="needs Linux's account of waiting for a processor"
)
async def test_process_that_is_late_because_it_lacked_a_processor_is_reported_as_starved(tmp_path: Path) -> None:
    code = f"import os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})\nwhile True: pass"
    late = ChildProcess("the daemon", [sys.executable, "-c", code], tmp_path / "late.log", timeout_s=1.5)
    async with AsyncExitStack() as others:
        for _ in range(5):
            await others.enter_async_context(python(code, tmp_path))
        async with late as process:
            with pytest.raises(
                StarvedError, match=r"^this machine was too busy: the daemon waited for a processor for \d"
            ):
                await process.wait_for("ready")
            waited_s = process.cpu_wait_s()
            process.start()  # kills the one before
            assert process.cpu_wait_s() >= waited_s > 0.0


async def test_foreign_module_in_the_current_folder_does_not_stop_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models.py").write_text("raise SystemExit('a foreign module was imported')")
    monkeypatch.chdir(tmp_path)
    async with ChildProcess("stinger", stinger_command("emulate", "--tcp", "127.0.0.1:0"), tmp_path / "log") as process:
        await process.wait_for("^device 0: ")
        assert await process.stop() == 0


async def test_wakeup_delay_of_the_host_is_measured_between_two_times(tmp_path: Path) -> None:
    wakeups = HostWakeupMonitor(tmp_path)
    async with wakeups.process:
        await until(lambda: wakeups.delays(0, 2**62) is not None)
    delays = wakeups.delays(0, 2**62)
    assert delays is not None
    assert 0 <= delays.p99_ms <= delays.longest_ms
    assert wakeups.delays(0, 1) is None


async def test_stall_of_the_host_counts_for_every_wakeup_due_in_it(tmp_path: Path) -> None:
    wakeups = HostWakeupMonitor(tmp_path)
    async with wakeups.process:
        await until(lambda: wakeups.delays(0, 2**62) is not None)
        os.kill(wakeups.process.pid, signal.SIGSTOP)
        await asyncio.sleep(0.3)
        os.kill(wakeups.process.pid, signal.SIGCONT)
        await until(lambda: (found := wakeups.delays(0, 2**62)) is not None and found.p99_ms > 100)


def test_damaged_recordings_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "recordings" / "d0"
    folder.mkdir(parents=True)
    samples = random_samples(10)
    write_log(folder / "1.bin", samples[:4])
    (folder / "1.json").write_text('{"closed": true, "samples": 4}')
    assert read_recordings(tmp_path, "d0")[1] == 0
    (folder / "2.bin").write_bytes(samples[4:].tobytes() + b"torn")
    (folder / "2.json").write_text('{"closed": true, "samples": 6}')
    write_log(folder / "3.bin", samples[:1])
    (folder / "4.bin").write_bytes(b"")
    (folder / "4.json").write_text('{"closed": false, "samples": 0}')
    recorded, damaged = read_recordings(tmp_path, "d0")
    assert recorded.tobytes() == samples.tobytes() + samples[:1].tobytes()
    assert damaged == 3


async def test_emulated_device_that_ended_by_itself_is_reported(tmp_path: Path) -> None:
    samples = make_workload("synthetic", 2, seed=1, shots=False)
    dut = EmulatorProcess(EmulatorOptions(samples=samples, count=1, link="tcp", threshold=0.5), tmp_path)
    await dut.start()
    dut.kill()
    with pytest.raises(ProcessError, match="the emulated device ended: device 0: 127"):
        await dut.stop()


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("emulated", DeviceSpec("emulated")),
        ("serial:/dev/ttyACM0", DeviceSpec("serial", "/dev/ttyACM0")),
        ("serial:COM3", DeviceSpec("serial", "COM3")),
        ("pty:/tmp/b", DeviceSpec("pty", "/tmp/b")),
        ("tcp:host:4000", DeviceSpec("tcp", "host:4000")),
        ("tcp://[::1]:4000", DeviceSpec("tcp", "[::1]:4000")),
    ],
)
def test_device_is_parsed_into_kind_and_address(text: str, spec: DeviceSpec) -> None:
    assert parse_device(text) == spec


@pytest.mark.parametrize("text", ["", "emulated:x", "serial:", "usb:1", "tcp:host", "tcp:host:x", "/dev/ttyACM0"])
def test_invalid_device_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected emulated, qemu, pty:PATH, tcp:HOST:PORT or serial:PORT"):
        parse_device(text)


def test_missing_port_is_reported_before_anything_starts() -> None:
    with pytest.raises(InputError, match="no such port: is the blaster plugged in"):
        ExternalDevice(parse_device("serial:/dev/no-such-port"))


@pytest.mark.parametrize("text", ["", "mosquito", "mqtt://", "mqtts://h", "mqtt://u:p@h", "mqtt://h:x", "mqtt://h/x"])
def test_invalid_broker_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected mosquitto, embedded or mqtt://HOST:PORT"):
        parse_broker(text)


def test_external_broker_cannot_be_restarted() -> None:
    broker = parse_broker("mqtt://h")
    assert (broker.host, broker.port, broker.restartable) == ("h", 1883, False)

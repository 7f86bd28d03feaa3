"""Steps of the system's clock, and a process that is stopped for a while, change no decision."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from models.synthetic import synthesise
from stinger.logs import write_log
from tests.helpers.brokers import Mosquitto, subscriber
from tests.helpers.cli import STINGER
from tests.helpers.daemons import DaemonProcess, daemon
from tests.helpers.fake_clock import FAKETIME, FakeClock

YEAR_S = 365 * 86_400.0

pytestmark = pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime, in Debian's package faketime")


async def play(
    folder: Path, played_s: float, steps: tuple[float, ...], *, stopped_s: float = 0.0
) -> list[tuple[int, bool]]:
    """Play a session of ``played_s`` in real time while the clock is set to each of ``steps``; return the switches of the wheels."""
    await asyncio.to_thread(folder.mkdir)
    write_log(folder / "session.bin", synthesise(minutes=played_s / 60, seed=3, still_pause=False))
    broker = Mosquitto(folder / "mosquitto")
    await asyncio.to_thread(broker.start)
    clock = FakeClock(folder / "clock")
    clock.set(0.0)
    source, address = f"replay:{folder / 'session.bin'}?device=b1", f"mqtt://127.0.0.1:{broker.port}"
    program = (*clock.command(), *STINGER)
    try:
        async with subscriber(broker.port, "stinger/b1/spinup") as heard:
            with daemon(folder, "--source", source, "--broker", address, program=program) as process:
                await asyncio.to_thread(process.wait_for, "ready: broker")
                await take(steps, 0.7 * played_s / max(1, len(steps)), clock, process, stopped_s)
                assert await asyncio.to_thread(process.end) == 0, process.log_text()
            await asyncio.sleep(0.5)
    finally:
        broker.kill()
    events = [json.loads(bytes(message.payload)) for message in heard.messages]
    return [(event["device_ms"], event["state"] == "on") for event in events]


async def take(
    steps: tuple[float, ...], every_s: float, clock: FakeClock, process: DaemonProcess, stopped_s: float
) -> None:
    for offset_s in steps:
        await asyncio.sleep(every_s)
        if stopped_s:
            process.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(stopped_s)
        clock.set(offset_s)
        if stopped_s:
            process.process.send_signal(signal.SIGCONT)


async def test_spin_ups_are_the_same_though_the_clock_jumps_by_years(tmp_path: Path) -> None:
    calm, jumped = await asyncio.gather(
        play(tmp_path / "calm", 6.5, ()), play(tmp_path / "jumped", 6.5, (-30 * YEAR_S, 3600.0))
    )
    assert len(calm) >= 2
    assert jumped == calm


@pytest.mark.slow
async def test_spin_ups_are_the_same_whatever_steps_the_clock_makes(tmp_path: Path) -> None:
    calm, followed, jumped, suspended = await asyncio.gather(
        play(tmp_path / "calm", 16.0, ()),
        play(tmp_path / "followed", 16.0, (30.0, -25.0, 10.0, 5.0)),
        play(tmp_path / "jumped", 16.0, (-30 * YEAR_S, 0.0, 3600.0, -YEAR_S)),
        play(tmp_path / "suspended", 16.0, (3600.0, 7200.0), stopped_s=2.5),
    )
    assert len(calm) >= 4
    assert (followed, jumped, suspended) == (calm, calm, calm)

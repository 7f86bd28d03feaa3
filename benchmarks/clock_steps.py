"""Steps of the system's clock while blasters stream, and whether the spin-ups are the same as without any step.

Run: python -m benchmarks.clock_steps [NUMBER OF STEPS]. Needs libfaketime (Debian: faketime) and mosquitto. 100 steps
take a quarter of an hour, in two daemons at a time. Each daemon reads the same session three times: from an emulated
blaster over TCP, from a recording, and over MQTT. Its clock is set forward and back by up to a minute (which the daemon
follows gradually) and by more, from 1970 to now and back, and its process is stopped and continued, also with the clock
set forward meanwhile, as after suspending. On a busy machine runs without steps differ as well: where the blaster or
the broker pauses for a quarter of a second, wheels go off.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt

from models.synthetic import synthesise
from stinger.sample import SampleArray
from stinger.wire.sample_messages import SampleMessage, encode_message
from tests.helpers.brokers import Mosquitto, free_port
from tests.helpers.cli import STINGER
from tests.helpers.daemons import DaemonProcess, daemon
from tests.helpers.fake_clock import FAKETIME, FakeClock

STEPS = 100
STEPS_A_RUN = 8
AT_ONCE = 2
CALM_RUNS = 13
PLAYED_S = 60.0
FIRST_STEP_S = 5.0
MESSAGE_SAMPLES = 10
YEAR_S = 365 * 86_400.0
DEVICES = ("tcp", "replay", "mqtt")

SpinUps = dict[str, list[tuple[int, bool]]]
"""By device: each switch of the wheels, with its time on the device's clock."""


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the clock's offset from the true time and, if ``stopped_s`` is not 0, the process stopped for so long."""

    kind: str
    offset_s: Callable[[float], float]
    """From the offset before to the one after."""
    stopped_s: float = 0.0


@dataclass
class Run:
    """One session with its steps, and what the daemon made of it."""

    steps: list[Step]
    spin_ups: SpinUps = field(default_factory=lambda: {device: [] for device in DEVICES})
    log: str = ""

    def began(self, device: str) -> list[int]:
        """Return when spin-ups of ``device`` began, on its clock."""
        return [device_ms for device_ms, on in self.spin_ups[device] if on]


def step_of(kind: str, rng: random.Random) -> Step:
    """Return a random step of ``kind``."""
    near_s, far_s, stopped_s = rng.uniform(0.1, 60), rng.uniform(61, 3 * YEAR_S), rng.uniform(0.1, 5)
    changes: dict[str, Callable[[float], float]] = {
        "forward up to a minute": lambda before_s: before_s + near_s,
        "back up to a minute": lambda before_s: before_s - near_s,
        "forward up to 3 years": lambda before_s: before_s + far_s,
        "back up to 3 years": lambda before_s: before_s - far_s,
        "to 1970, or from 1970 to now": lambda before_s: 0.0 if before_s < -30 * YEAR_S else 100 - time.time(),
        "stopped": lambda before_s: before_s,
        "stopped, and the clock forward": lambda before_s: before_s + far_s,
    }
    return Step(kind, changes[kind], stopped_s if kind.startswith("stopped") else 0.0)


KINDS = (
    "forward up to a minute",
    "back up to a minute",
    "forward up to 3 years",
    "back up to 3 years",
    "to 1970, or from 1970 to now",
    "stopped",
    "stopped, and the clock forward",
)


async def publish(port: int, samples: SampleArray, process: DaemonProcess) -> None:
    """Publish ``samples`` at their own pace as the device ``mqtt``, beginning when the daemon receives the first."""
    loop = asyncio.get_running_loop()
    async with aiomqtt.Client("127.0.0.1", port) as client:
        while "device_added device=mqtt" not in process.log_text():
            await client.publish("stinger/mqtt/samples", encode_message(SampleMessage(0, samples[:MESSAGE_SAMPLES])))
            await asyncio.sleep(0.1)
        began_s = loop.time()
        for first in range(0, samples.size, MESSAGE_SAMPLES):
            part = samples[first : first + MESSAGE_SAMPLES]
            await asyncio.sleep(began_s + (first + len(part)) / 100 - loop.time())
            await client.publish("stinger/mqtt/samples", encode_message(SampleMessage(first, part)))


async def listen(port: int, spin_ups: SpinUps) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("stinger/+/spinup", qos=1)
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            event = json.loads(message.payload)
            spin_ups[event["device"]].append((event["device_ms"], event["state"] == "on"))


async def take_steps(run: Run, clock: FakeClock, process: DaemonProcess, rng: random.Random) -> None:
    """Take the steps of ``run`` at random times of the session."""
    pause_s = (PLAYED_S - FIRST_STEP_S) / max(1, len(run.steps))
    await asyncio.sleep(FIRST_STEP_S)
    for step in run.steps:
        delay_s = rng.uniform(0, pause_s / 4)
        await asyncio.sleep(delay_s)
        if step.stopped_s:
            process.process.send_signal(signal.SIGSTOP)
        clock.set(step.offset_s(clock.offset_s))
        if step.stopped_s:
            await asyncio.sleep(step.stopped_s)
            process.process.send_signal(signal.SIGCONT)
        await asyncio.sleep(max(0.0, pause_s - delay_s - step.stopped_s))


def prepare(folder: Path, samples: SampleArray) -> tuple[Mosquitto, Path]:
    """Start a broker and write the session to a file."""
    folder.mkdir()
    recording = folder / "session.bin"
    recording.write_bytes(samples.tobytes())
    broker = Mosquitto(folder / "mosquitto")
    broker.start()
    return broker, recording


async def play(folder: Path, samples: SampleArray, run: Run, seed: int) -> None:
    """Play the session on all three ways into a daemon, take the steps of ``run``, and collect its spin-ups."""
    rng = random.Random(seed)
    broker, recording = await asyncio.to_thread(prepare, folder, samples)
    port = free_port()
    clock = FakeClock(folder / "clock")
    clock.set(100 - time.time() if rng.random() < 0.25 else 0.0)
    emulator = await asyncio.create_subprocess_exec(
        *STINGER, "emulate", "--tcp", f"127.0.0.1:{port}", "--wait", str(recording), stdout=PIPE, stderr=DEVNULL
    )
    assert emulator.stdout is not None
    await emulator.stdout.readline()
    sources = [f"tcp://127.0.0.1:{port}?device=tcp", f"replay:{recording}?device=replay", "mqtt:"]
    arguments = [part for url in sources for part in ("--source", url)]
    listening = asyncio.create_task(listen(broker.port, run.spin_ups))
    program = (*clock.command(), *STINGER)
    address = f"mqtt://127.0.0.1:{broker.port}"
    try:
        with daemon(folder, *arguments, "--broker", address, program=program) as process:
            await asyncio.to_thread(process.wait_for, "ready: broker")
            await asyncio.gather(publish(broker.port, samples, process), take_steps(run, clock, process, rng))
            await asyncio.sleep(5)  # until the silence of every device was noticed
            process.process.terminate()
            await asyncio.to_thread(process.end)
            await asyncio.sleep(0.5)
            run.log = process.log_text()
    finally:
        listening.cancel()
        emulator.kill()
        await emulator.wait()
        broker.kill()


async def play_all(folder: Path, runs: list[Run]) -> None:
    samples = synthesise(minutes=PLAYED_S / 60, seed=3, still_pause=False)
    free = asyncio.Semaphore(AT_ONCE)

    async def play_one(number: int, run: Run) -> None:
        async with free:
            await play(folder / str(number), samples, run, number)
            print(f"\r{sum(any(run.spin_ups.values()) for run in runs)} of {len(runs)} runs", end="", file=sys.stderr)

    await asyncio.gather(*(play_one(number, run) for number, run in enumerate(runs)))
    print(file=sys.stderr)


def main(steps: int, seed: int) -> None:
    """Print how the spin-ups of runs with steps differ from those of runs without."""
    if FAKETIME is None:
        sys.exit("libfaketime is missing: install Debian's package faketime")
    rng = random.Random(seed)
    kinds = [KINDS[number % len(KINDS)] for number in range(steps)]
    rng.shuffle(kinds)
    stepped = [
        Run([step_of(kind, rng) for kind in kinds[at : at + STEPS_A_RUN]]) for at in range(0, steps, STEPS_A_RUN)
    ]
    calm = [Run([]) for _ in range(CALM_RUNS)]
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(play_all(Path(name), calm + stepped))
    taken = Counter(step.kind for run in stepped for step in run.steps)
    print(f"seed {seed}; steps: " + ", ".join(f"{count} {kind}" for kind, count in taken.items()))
    for device in DEVICES:
        (expected, _), *_ = Counter(tuple(run.began(device)) for run in calm).most_common(1)
        for label, runs in (("without", calm), ("with", stepped)):
            total = sum(len(run.began(device)) for run in runs)
            differ = [run for run in runs if run.began(device) != list(expected)]
            print(
                f"{device}: {len(runs)} runs {label} steps, {total} spin-ups instead of {len(expected) * len(runs)}; "
                f"{len(differ)} runs differ"
            )
            for run in differ:
                lost, new = set(expected) - set(run.began(device)), set(run.began(device)) - set(expected)
                print(f"  {[step.kind for step in run.steps]}: without {sorted(lost)}, instead {sorted(new)}")
                print(*[f"    {line}" for line in run.log.splitlines() if f"device={device}" in line], sep="\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else STEPS, int(os.environ.get("SEED", "1")))

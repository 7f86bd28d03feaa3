"""Kill -9 of a real daemon at random times while blasters stream.

What is lost, and whether each next start works. Run: python -m benchmarks.kills [NUMBER OF KILLS]. Needs mosquitto. 200
kills take about ten minutes. Devices publish samples over MQTT, with a shot every 1.3 s, and a subscriber with a
persistent session keeps every event. The daemon is killed while it starts, or up to 2.5 s after it was ready, and
started again at once. At the end:

- samples lost: holes in the recordings, although the devices never pause, and samples whose scores were published;
- shots lost: trigger edges in the recordings without a published shot of the id that follows from the recording;
- starts refused: daemons that ended by themselves, or were not ready within 30 s.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import numpy as np

from models.synthetic import synthesise
from service.base.events import event_id
from service.recording.sidecar import read_sidecar
from service.recording.store import list_files
from stinger.device_name import DeviceName
from stinger.files import read_bytes
from stinger.logs.marked import sidecar_path
from stinger.sample import SAMPLE_DTYPE, SampleArray
from stinger.wire.sample_messages import SampleMessage, encode_message
from tests.helpers.brokers import Heard, Mosquitto, subscriber
from tests.helpers.daemons import daemon

KILLS = 200
DEVICES = 30
MESSAGE_SAMPLES = 20
SHOT_SAMPLES = 130
EARLY_SHARE = 0.25
"""The fraction of kills that come while the daemon starts."""
UNTIL_READY_S = 0.8
AFTER_READY_S = 2.5


@dataclass
class Count:
    """What was found in the recordings and among the published events."""

    recordings: int = 0
    samples: int = 0
    holes: int = 0
    scored: int = 0
    scored_unrecorded: int = 0
    shots: int = 0
    shots_lost: list[str] = field(default_factory=list)
    shots_unexpected: int = 0
    shots_repeated: int = 0
    still_open: int = 0


def session(minutes: float) -> SampleArray:
    """Return samples 10 ms apart, with a trigger pull every 1.3 s."""
    samples = synthesise(minutes=minutes, seed=1, still_pause=False).copy()
    samples["timestamp_ms"] = 1000 + 10 * np.arange(samples.size)
    samples["trigger"] = np.arange(samples.size) % SHOT_SAMPLES < 10
    return samples


async def publish(port: int) -> None:
    """Publish the samples of all devices at their own pace, the devices spread evenly over time, until cancelled."""
    loop = asyncio.get_running_loop()
    samples = session(60)
    async with aiomqtt.Client("127.0.0.1", port, max_queued_outgoing_messages=0) as client:
        began_s = loop.time()
        for number in range(samples.size // MESSAGE_SAMPLES * DEVICES):
            first, device = number // DEVICES * MESSAGE_SAMPLES, number % DEVICES
            await asyncio.sleep(began_s + number * MESSAGE_SAMPLES / 100 / DEVICES - loop.time())
            # Every device pulls the trigger at another time.
            part = np.roll(samples["trigger"], 7 * device)[first : first + MESSAGE_SAMPLES]
            message = samples[first : first + MESSAGE_SAMPLES].copy()
            message["trigger"] = part
            await client.publish(f"stinger/d{device}/samples", encode_message(SampleMessage(first, message)))


def run_and_kill(folder: Path, broker: str, rng: random.Random, number: int) -> str:
    """Start a daemon and kill it at a random time; return why it refused to start, empty if it did not."""
    early = rng.random() < EARLY_SHARE
    arguments = ("--source", "mqtt:", "--broker", broker, "--scores")
    with daemon(folder, *arguments, name=f"run{number % 2}") as process:
        if early:
            time.sleep(rng.uniform(0, UNTIL_READY_S))
            return "" if process.process.poll() is None else process.log_text()
        try:
            process.wait_for("ready: broker")
        except AssertionError:
            return process.log_text()
        time.sleep(rng.uniform(0, AFTER_READY_S))
        return "" if process.process.poll() is None else process.log_text()


def run_to_the_end(folder: Path, broker: str) -> None:
    """Start a daemon that recovers what the last kill left, and stop it."""
    with daemon(folder, "--broker", broker, name="last") as process:
        for _ in range(20):  # each waits for 30 s
            with suppress(AssertionError):
                process.wait_for("recordings_recovered")
                break
        time.sleep(2)
        process.process.terminate()
        process.end()


def examine(folder: Path, heard: Heard) -> Count:
    """Compare the recordings with the published events."""
    count = Count()
    published = Counter[str]()
    recorded: dict[str, set[int]] = {}
    scored: list[tuple[str, int, int]] = []
    for message in heard.messages:
        assert isinstance(message.payload, bytes)
        content = json.loads(message.payload)
        if message.topic.value.endswith("/shot"):
            published[content["id"]] += 1
        else:
            device = message.topic.value.split("/")[1]
            scored.append((device, content["first_device_ms"], len(content["probabilities"])))
    expected: dict[str, str] = {}
    for path in list_files(folder / "data" / "recordings").recordings:
        sidecar = read_sidecar(sidecar_path(path))
        samples = np.frombuffer(read_bytes(path), dtype=SAMPLE_DTYPE)
        times_ms, pressed = samples["timestamp_ms"].astype(np.int64), samples["trigger"] != 0
        count.recordings += 1
        count.samples += samples.size
        count.still_open += not sidecar.closed
        count.holes += int((np.diff(times_ms) != 10).sum())
        recorded.setdefault(sidecar.device, set()).update(times_ms.tolist())
        zero_ms = sidecar.clock_zero_ms
        assert zero_ms is not None, path
        for at_ms in times_ms[1:][pressed[1:] & ~pressed[:-1]].tolist():
            id_ = event_id("shot", DeviceName(sidecar.device), zero_ms, at_ms)
            expected[id_] = f"{sidecar.device} at {at_ms} ms in {path.name}"
    count.shots = len(expected)
    count.shots_lost = [text for id_, text in expected.items() if id_ not in published]
    count.shots_unexpected = sum(id_ not in expected for id_ in published)
    count.shots_repeated = sum(times - 1 for times in published.values())
    for device, first_ms, size in scored:
        count.scored += size
        count.scored_unrecorded += sum(first_ms + 10 * i not in recorded.get(device, ()) for i in range(size))
    return count


async def kill_repeatedly(folder: Path, kills: int, seed: int) -> None:
    """Run and kill ``kills`` daemons, and print what was lost."""
    rng = random.Random(seed)
    mosquitto = await asyncio.to_thread(started_broker, folder)
    broker = f"mqtt://127.0.0.1:{mosquitto.port}"
    refused: list[str] = []
    try:
        async with subscriber(mosquitto.port, "stinger/+/shot", "stinger/+/scores", identifier="events") as heard:
            publishing = asyncio.create_task(publish(mosquitto.port))
            for number in range(kills):
                if reason := await asyncio.to_thread(run_and_kill, folder, broker, rng, number):
                    refused.append(reason)
                print(f"\r{number + 1} of {kills} kills, {len(heard.messages):,} messages", end="", file=sys.stderr)
            publishing.cancel()
            await asyncio.to_thread(run_to_the_end, folder, broker)
            await asyncio.sleep(2)
            print(file=sys.stderr)
            count = await asyncio.to_thread(examine, folder, heard)
    finally:
        mosquitto.kill()
    print(
        f"seed {seed}: {kills} kills, {len(refused)} starts refused; {count.recordings:,} recordings, "
        f"{count.still_open} still open; {count.samples:,} samples, {count.holes} holes; {count.scored:,} scores, "
        f"{count.scored_unrecorded} of samples that are not recorded; {count.shots:,} shots recorded, "
        f"{len(count.shots_lost)} lost, {count.shots_unexpected} unexpected, {count.shots_repeated} repeated"
    )
    print(*count.shots_lost[:20], *refused[:3], sep="\n")


def started_broker(folder: Path) -> Mosquitto:
    """Start a broker in ``folder``."""
    broker = Mosquitto(folder / "mosquitto")
    broker.start()
    return broker


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        wanted = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
        asyncio.run(kill_repeatedly(Path(name), wanted, int(os.environ.get("SEED", "1"))))

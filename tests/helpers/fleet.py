"""A fleet for tests and benchmarks: journaling daemons of one group, blasters that publish, and what the journals show."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats
import numpy as np
from nats.aio.client import Client

from models.synthetic import synthesise
from service.sources.nats_leases import partition_of
from stinger.sample import SampleArray
from stinger.wire.sample_messages import SampleMessage, encode_message
from tests.helpers.daemons import DaemonProcess
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT

SAMPLES = 20
"""Samples in a message."""
PERIOD_S = SAMPLES / 100


@dataclass
class FleetDaemon:
    """One daemon of a fleet, which may be killed and started again with the same data folder."""

    folder: Path
    url: str
    broker: str
    name: str
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    log: Path = field(init=False)
    journal: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log, self.journal = self.folder / f"{self.name}.log", self.folder / f"{self.name}.jsonl"

    def start(self) -> DaemonProcess:
        command = [sys.executable, str(ROOT / "tests/helpers/journaling_daemon.py"), "run", "--source", self.url]
        command += ["--broker", self.broker, "--data-dir", str(self.folder / self.name), *self.options]
        with self.log.open("ab") as stderr:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env={**os.environ, "JOURNAL": str(self.journal)},
            )
        return DaemonProcess(self.process, self.log)

    def kill(self) -> None:
        """End the daemon as ``kill -9`` does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
            self.process = None

    def stop(self) -> int:
        """End the daemon in order; return its exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(PATIENCE_S)
        self.process = None
        return code

    def suspend(self, seconds: float) -> None:
        """Stop the process for a while, as a machine does that is suspended."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def entries(self) -> list[dict[str, Any]]:
        """Return the lines of its journal."""
        if not self.journal.exists():
            return []
        lines = self.journal.read_text().splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]


@contextmanager
def fleet_daemons(folder: Path, url: str, broker: str, count: int, *options: str) -> Iterator[list[FleetDaemon]]:
    """Run ``count`` daemons of one group, and wait until all have joined."""
    daemons = [FleetDaemon(folder, url, broker, f"daemon{number}", options) for number in range(count)]
    try:
        for process in [one.start() for one in daemons]:
            process.wait_for("group_joined")
        yield daemons
    finally:
        for one in daemons:
            one.kill()


class AckedBlasters:
    """Emulated blasters that publish in real time and send each message again until the stream has acknowledged it.

    While the servers do not answer, a blaster keeps its messages, and publishes them in order afterwards.
    """

    def __init__(self, count: int, *, seconds: float) -> None:
        self.names = [f"b{number}" for number in range(count)]
        self._messages = messages_of(session(seconds))
        self._published = [0] * count

    async def publish(self, servers: Sequence[str], stop: asyncio.Event) -> None:
        """Publish until ``stop`` is set or the recording is over; then the same number of messages of each blaster."""
        client = await nats.connect(list(servers), max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=_ignore)
        began = time.monotonic()
        try:
            async with asyncio.TaskGroup() as tasks:
                for index, name in enumerate(self.names):
                    tasks.create_task(self._publish(client, index, name, began, stop))
        finally:
            await client.close()

    async def _publish(self, client: Client, index: int, name: str, began: float, stop: asyncio.Event) -> None:
        stream = client.jetstream(timeout=2)
        for number, payload in enumerate(self._messages):
            if stop.is_set() and number >= max(self._published):
                return
            due = began + (number + index / len(self.names)) * PERIOD_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            while True:
                try:
                    await stream.publish(
                        f"stinger.{name}.samples", payload, headers={"Nats-Msg-Id": f"{name}-{number}"}
                    )
                    break
                except (nats.errors.Error, OSError):
                    await asyncio.sleep(0.1)
            self._published[index] = number + 1

    @property
    def last_ms(self) -> int:
        """Device time of the newest sample that the stream has of every blaster."""
        return 1000 + (min(self._published) * SAMPLES - 1) * 10


async def _ignore(_error: Exception) -> None:
    pass


def session(seconds: float) -> SampleArray:
    """Return samples of a session without gaps, at 100 Hz from 1000 ms on."""
    samples = synthesise(minutes=seconds / 60 + 0.1, seed=1, still_pause=False).copy()
    samples["timestamp_ms"] = np.arange(samples.size) * 10 + 1000
    return samples


def messages_of(samples: SampleArray) -> list[bytes]:
    """Return the messages with which a blaster publishes ``samples``."""
    return [encode_message(SampleMessage(at, samples[at : at + SAMPLES])) for at in range(0, samples.size, SAMPLES)]


def trigger_edges(last_ms: int) -> list[int]:
    """Return the device times up to ``last_ms`` at which the trigger goes down in a session."""
    trigger = session(last_ms / 1000)["trigger"]
    edges = np.flatnonzero((trigger[1:] != 0) & (trigger[:-1] == 0)) + 1
    times = edges * 10 + 1000
    return [int(at) for at in times if at <= last_ms]


def entries_of(daemons: Sequence[FleetDaemon]) -> list[dict[str, Any]]:
    """Return what all journals have, in order of time."""
    return sorted((entry for one in daemons for entry in one.entries()), key=lambda entry: entry["t"])


def scored(entries: Sequence[dict[str, Any]]) -> dict[str, set[int]]:
    """Return the device times of the samples of each device that went through the model."""
    found: dict[str, set[int]] = defaultdict(set)
    for entry in entries:
        if entry["kind"] == "score":
            found[entry["device"]].update(range(entry["first_ms"], entry["last_ms"] + 10, 10))
    return found


def double_owners(entries: Sequence[dict[str, Any]], lease_s: float) -> int:
    """Return how often a lease was taken while another daemon could still publish for the partition."""
    count = 0
    until_s: dict[int, tuple[int, float]] = {}
    leases = [entry for entry in entries if entry["kind"] == "lease"]
    # One that is freed is held no longer when the write begins, which others may see before its writer has the answer.
    for entry in sorted(leases, key=lambda one: one["sent_s"] if one["action"] == "free" else one["t"] / 1e9):
        partition = entry["partition"]
        pid, valid_until_s = until_s.get(partition, (entry["pid"], 0.0))
        if entry["action"] == "take" and entry["valid"] and pid != entry["pid"]:
            count += entry["t"] / 1e9 < valid_until_s
        if entry["action"] == "free":
            until_s[partition] = (entry["pid"], 0.0)
        elif entry["valid"]:
            until_s[partition] = (entry["pid"], entry["sent_s"] + lease_s)
    return count


def sent_by_former_owners(entries: Sequence[dict[str, Any]], partitions: int) -> int:
    """Return how many retained events a daemon sent after another one had taken the partition."""
    owner: dict[int, int] = {}
    count = 0
    for entry in entries:
        if entry["kind"] == "lease" and entry["action"] == "take":
            owner[entry["partition"]] = entry["pid"]
        elif entry["kind"] == "sent" and entry["retain"]:
            partition = partition_of(entry["topic"].split("/")[1], partitions)
            count += owner.get(partition) != entry["pid"]
    return count

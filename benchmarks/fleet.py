"""Kills daemons and servers of a fleet.

It has three NATS servers, three daemons of one group and 200 emulated blasters. All run on this machine. Daemons and
servers are killed (``kill -9``) at random and started again while the blasters publish. The table shows how long
takeovers took, and whether a sample was left without a score, an event was lost, or two daemons held a partition at
once.

Run: python -m benchmarks.fleet [--daemon-kills 3] [--node-kills 1] [--blasters 200] [--seed 1] [--cost]
The full run: --daemon-kills 30 --node-kills 10 (about 10 minutes). --cost compares the daemon's CPU time per sample
with MQTT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats
from nats.js.api import StreamConfig

from benchmarks import hall
from service.sources.nats_leases import LEASE_S, partition_of
from tests.helpers.brokers import Mosquitto, subscriber
from tests.helpers.daemons import daemon
from tests.helpers.fleet import (
    AckedBlasters,
    FleetDaemon,
    double_owners,
    entries_of,
    fleet_daemons,
    scored,
    sent_by_former_owners,
    trigger_edges,
)
from tests.helpers.nats_servers import NatsServer, mapping, nats_cluster, nats_server

PARTITIONS = 16
DAEMONS = 3
SETTLE_S = 6.0
"""Longest pause after a kill, and the pause after each start: shares are even again by then."""
ELECTION_S = 12.0
"""Pause after a server was killed: until the streams that it led have another leader."""
PATIENCE_S = 60.0
"""How long the daemons may take, after the last message, to score what waits."""
COST_DEVICES, COST_RUNS = 200, 3


@dataclass
class Run:
    """What was killed and when, and what was published and scored meanwhile."""

    kills: list[tuple[int, float]] = field(default_factory=list)
    """Process id and time of each daemon that was killed."""
    last_ms: int = 0
    entries: list[dict[str, Any]] = field(default_factory=list)
    delivered: list[dict[str, Any]] = field(default_factory=list)


async def load(servers: Sequence[str], blasters: int, seconds: float, folder: Path) -> None:
    """Publish as blasters until the file ``stop`` is in ``folder``; then write what was published to ``published``."""
    emulated, stop = AckedBlasters(blasters, seconds=seconds), asyncio.Event()
    publishing = asyncio.create_task(emulated.publish(servers, stop))
    while not (folder / "stop").exists():
        await asyncio.sleep(0.1)
        if publishing.done():
            break
    stop.set()
    await publishing
    (folder / "published").write_text(json.dumps(emulated.last_ms))


async def kill_daemons(daemons: Sequence[FleetDaemon], count: int, draw: random.Random, run: Run) -> None:
    for number in range(count):
        victim = draw.choice(daemons)
        assert victim.process is not None
        run.kills.append((victim.process.pid, time.monotonic()))
        victim.kill()
        print(f"killed daemon {number + 1} of {count}", file=sys.stderr)
        await asyncio.sleep(draw.uniform(3.0, SETTLE_S))
        victim.start()
        await asyncio.sleep(SETTLE_S)


async def kill_nodes(nodes: Sequence[NatsServer], count: int, draw: random.Random) -> None:
    for number in range(count):
        victim = draw.choice(nodes)
        victim.kill()
        print(f"killed server {number + 1} of {count}", file=sys.stderr)
        await asyncio.sleep(draw.uniform(1.0, 5.0))
        await asyncio.to_thread(victim.start)
        await asyncio.sleep(ELECTION_S)


async def measure(folder: Path, options: argparse.Namespace) -> Run:
    draw, run = random.Random(options.seed), Run()
    seconds = 20 + options.daemon_kills * 2 * SETTLE_S + options.node_kills * (5 + ELECTION_S) + 30
    with ExitStack() as stack:
        nodes = stack.enter_context(nats_cluster(folder / "nats", mapping("hall", PARTITIONS)))
        broker = Mosquitto(folder / "mosquitto")
        broker.start()
        stack.callback(broker.kill)
        servers = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        url = f"nats://{servers}?stream=SAMPLES&partitions={PARTITIONS}&group=hall&replicas=3"
        daemons = stack.enter_context(fleet_daemons(folder, url, f"mqtt://127.0.0.1:{broker.port}", DAEMONS))
        await asyncio.sleep(SETTLE_S)
        async with subscriber(broker.port, "stinger/+/shot", "stinger/+/spinup", "stinger/+/false_spinup") as heard:
            command = [sys.executable, "-m", "benchmarks.fleet", "load", servers, str(options.blasters), str(seconds)]
            publishing = await asyncio.create_subprocess_exec(*command, str(folder))
            await asyncio.sleep(SETTLE_S)
            await kill_daemons(daemons, options.daemon_kills, draw, run)
            await kill_nodes(nodes, options.node_kills, draw)
            (folder / "stop").touch()
            await publishing.wait()
            run.last_ms = json.loads((folder / "published").read_text())
            run.entries = await all_scored(daemons, options.blasters, run.last_ms)
            run.delivered = [json.loads(message.payload) for message in heard.messages if not message.retain]
    return run


async def all_scored(daemons: Sequence[FleetDaemon], blasters: int, last_ms: int) -> list[dict[str, Any]]:
    """Wait until the newest sample of every blaster is scored, at most :data:`PATIENCE_S`.

    Return the journals' entries.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        await asyncio.sleep(SETTLE_S / 2)
        entries = entries_of(daemons)
        done = {entry["device"] for entry in entries if entry["kind"] == "score" and entry["last_ms"] >= last_ms}
        if len(done) >= blasters or time.monotonic() > deadline:
            await asyncio.sleep(SETTLE_S / 2)
            return entries_of(daemons)


def takeovers(run: Run) -> list[float]:
    """Return the seconds from the last score of a killed daemon to the first of its successor, for each partition."""
    by_partition: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for entry in run.entries:
        if entry["kind"] == "score":
            by_partition[partition_of(entry["device"], PARTITIONS)].append((entry["t"] / 1e9, entry["pid"]))
    found = []
    for pid, killed_s in run.kills:
        for scores in by_partition.values():
            last_s = max((at for at, by in scores if by == pid and at <= killed_s), default=0.0)
            if killed_s - last_s < 1.0:  # it held the partition when it was killed
                first_s = min((at for at, by in scores if at > killed_s and by != pid), default=math.inf)
                found.append(first_s - last_s)  # infinite for a partition that nobody took over
    return found


def report(run: Run, options: argparse.Namespace) -> None:
    names = [f"b{number}" for number in range(options.blasters)]
    times = set(range(1000, run.last_ms + 10, 10))
    have = scored(run.entries)
    missing = sum(len(times - have[name]) for name in names)
    shots = {(name, at) for name in names for at in trigger_edges(run.last_ms)}
    got: dict[tuple[str, int], set[str]] = defaultdict(set)
    for content in run.delivered:
        if "accepted" in content:
            got[content["device"], content["device_ms"]].add(content["id"])
    lost = shots - got.keys()
    ids = Counter(content["id"] for content in run.delivered)
    owners = double_owners(run.entries, LEASE_S) + sent_by_former_owners(run.entries, PARTITIONS)
    taken = takeovers(run)
    print(
        f"{options.blasters} blasters, {len(run.kills)} daemons and {options.node_kills} servers killed, seed {options.seed}"
    )
    print(f"| samples published                          | {len(times) * len(names):,} |")
    print(f"| samples without a score                    | {missing:,} |")
    print(f"| shots                                      | {len(shots):,} |")
    print(f"| shots lost                                 | {len(lost):,} |")
    print(f"| moments with two owners                    | {owners} |")
    print(f"| events delivered, and repeats among them   | {len(run.delivered):,}, {len(run.delivered) - len(ids):,} |")
    print(f"| shots delivered with two different ids     | {sum(len(found) > 1 for found in got.values())} |")
    if taken:
        print(f"| takeover, p50 and longest                  | {statistics.median(taken):.2f} s, {max(taken):.2f} s |")
    for name, at in sorted(lost)[:5]:
        print(f"lost: the shot of {name} at {at} ms", file=sys.stderr)


def cost_of(source: str, broker: str, port: int, folder: Path, name: str) -> float:
    """Return the microseconds of CPU that a daemon, which does not record, takes for a published sample."""
    options = ("--broker", broker, "--metrics-port", "0", "--no-record")
    with daemon(folder, "--source", source, *options, name=name) as process:
        address = process.wait_for(r"metrics: (http://\S+)/metrics")[1]
        time.sleep(3)
        before = hall.total(hall.scrape(address), "process_cpu_seconds_total")
        subprocess.run(
            [sys.executable, "-m", "benchmarks.hall", "load", str(port), str(COST_DEVICES)], check=True, timeout=100
        )
        text, _ = hall.settled(address)
        ended = process.log_text().count("partition_ended")
        print(f"{source:.5}: {ended} leases lost", file=sys.stderr)
        samples = int(hall.SECONDS / hall.PERIOD_S) * hall.SAMPLES * COST_DEVICES
        return (hall.total(text, "process_cpu_seconds_total") - before) / samples * 1e6


def compare_cost() -> None:
    """Print the CPU time of a daemon per sample, from NATS and from an MQTT broker, measured alternately."""
    costs: dict[str, list[float]] = {"NATS": [], "MQTT": []}
    for number in range(COST_RUNS):
        for kind, found in costs.items():
            with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
                folder = Path(name)
                broker = Mosquitto(folder / "mosquitto")
                broker.start()
                stack.callback(broker.kill)
                url, port = "mqtt:", broker.port
                if kind == "NATS":
                    server = stack.enter_context(nats_server(folder / "nats", mapping("hall", PARTITIONS)))
                    port = server.mqtt_port
                    url = f"nats://127.0.0.1:{server.port}?stream=SAMPLES&partitions={PARTITIONS}&group=hall"
                found.append(cost_of(url, f"mqtt://127.0.0.1:{broker.port}", port, folder, f"cost{number}"))
    nats_us, mqtt_us = (statistics.median(found) for found in costs.values())
    print(
        f"| CPU of the daemon a sample, NATS against MQTT | {nats_us:.2f} us, {mqtt_us:.2f} us: {nats_us / mqtt_us:.2f} |"
    )


async def make_stream(port: int) -> None:
    client = await nats.connect(f"nats://127.0.0.1:{port}")
    config = StreamConfig(name="SAMPLES", subjects=["hall.*.stinger.*.samples"], num_replicas=3)
    await client.jetstream(timeout=10).add_stream(config)
    await client.close()


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_servers() -> None:
    """Print the CPU time of three servers per message that one receives over MQTT and all of them store."""
    with tempfile.TemporaryDirectory() as name, nats_cluster(Path(name), mapping("hall", PARTITIONS)) as nodes:
        asyncio.run(make_stream(nodes[0].port))
        time.sleep(3)
        pids = [node.process.pid for node in nodes if node.process is not None]
        before = sum(map(cpu_s, pids))
        command = [sys.executable, "-m", "benchmarks.hall", "load", str(nodes[0].mqtt_port), str(COST_DEVICES)]
        subprocess.run(command, check=True, timeout=100)
        time.sleep(2)
        messages = int(hall.SECONDS / hall.PERIOD_S) * COST_DEVICES
        used_us = (sum(map(cpu_s, pids)) - before) / messages * 1e6
    print(f"| CPU of three servers a message, stored on all | {used_us:.0f} us |")


def main() -> None:
    if sys.argv[1:2] == ["load"]:
        _, _, servers, count, seconds, folder = sys.argv
        urls = [f"nats://{server}" for server in servers.split(",")]
        asyncio.run(load(urls, int(count), float(seconds), Path(folder)))
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--daemon-kills", type=int, default=3, help="daemons to kill")
    parser.add_argument("--node-kills", type=int, default=1, help="NATS servers to kill")
    parser.add_argument("--blasters", type=int, default=200, help="blasters to emulate")
    parser.add_argument("--seed", type=int, default=1, help="random seed for what is killed and when")
    parser.add_argument("--keep", type=Path, help="new folder for logs and journals, which are kept")
    parser.add_argument("--cost", action="store_true", help="only compare the CPU time per sample with MQTT")
    options = parser.parse_args()
    if options.cost:
        measure_servers()
        compare_cost()
        return
    with tempfile.TemporaryDirectory() as temporary:
        kept: Path = options.keep or Path(temporary) / "fleet"
        kept.mkdir()
        report(asyncio.run(measure(kept, options)), options)


if __name__ == "__main__":
    main()

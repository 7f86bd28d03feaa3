"""Processor time of a sample from a NATS stream and from an MQTT broker.

Source, scoring, metrics; nothing is published. Each source runs in a process of its own with a server of its own, both
at the same time, so that other programs disturb both alike. The leases of the stream's 16 partitions are renewed as
often as in a daemon, but are valid for a minute: on a busy machine they would be lost, and processes would do other
work than reading.

Run: python -m benchmarks.stream_cost [devices] [rounds]
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks import hall
from models.choice import FACTORY, ChosenModel
from models.factory import factory_model
from models.threshold import Threshold
from service.base.source import Source
from service.base.states import Saved
from service.config.broker_address import BrokerAddress
from service.config.source_url import NatsUrl, parse_source_url
from service.daemon.fence import Fence
from service.daemon.flow import Flow
from service.daemon.pipeline import Pipeline
from service.daemon.sinks import MetricsSink
from service.daemon.telemetry import TelemetrySink
from service.mqtt.sample_subscription import SampleSubscription
from service.ops.metrics import Metrics
from service.sources.mqtt_source import MqttSource
from service.sources.nats_leases import GroupTimes
from service.sources.nats_source import NatsSource
from stinger.device_name import DeviceName
from tests.helpers.brokers import Mosquitto
from tests.helpers.nats_servers import mapping, nats_server

PARTITIONS = 16
JOIN_S = 4.0
LONG_LEASES = GroupTimes(lease_s=60, expiry_s=66, member_s=50)
NEVER_SILENT_S = 1e6


class NoThresholds:
    """No device has a threshold of its own."""

    def of(self, partition: int) -> Mapping[DeviceName, Threshold]:
        """See :class:`service.sources.nats_source.MovingThresholds`."""
        del partition
        return {}

    def adopt(self, partition: int, thresholds: Mapping[DeviceName, Threshold]) -> None:
        """See :class:`service.sources.nats_source.MovingThresholds`."""
        del partition, thresholds


def source_of(kind: str, port: int, flow: Flow, pipeline: Pipeline) -> Source:
    if kind == "MQTT":
        subscription = SampleSubscription(BrokerAddress("127.0.0.1", port))
        return MqttSource("mqtt:", subscription, silence_s=NEVER_SILENT_S)
    url = parse_source_url(f"nats://127.0.0.1:{port}?stream=SAMPLES&partitions={PARTITIONS}&group=hall")
    assert isinstance(url, NatsUrl)
    source = NatsSource(
        url,
        release=flow.release,
        saved=lambda: Saved(complete=True, lost_samples=0),
        rights=Fence(PARTITIONS),
        thresholds=NoThresholds(),
        times=LONG_LEASES,
        silence_s=NEVER_SILENT_S,
    )
    pipeline.subscribe(source.sink)
    return source


async def consume(kind: str, port: int) -> None:
    """Read and score; print the processor time of this thread between the next two lines of the standard input."""
    pipeline = Pipeline(ChosenModel(factory_model(), FACTORY), min_shot_gap_ms=1000)
    flow, figures = Flow(pipeline), TelemetrySink()
    for sink in (MetricsSink(Metrics()), figures):
        pipeline.subscribe(sink)
    source = source_of(kind, port, flow, pipeline)
    loop = asyncio.get_running_loop()
    tasks = [asyncio.create_task(flow.run()), asyncio.create_task(source.run(flow))]
    await asyncio.sleep(JOIN_S)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    began_s = time.thread_time()
    line = loop.run_in_executor(None, sys.stdin.readline)
    while not line.done():
        await asyncio.wait({line}, timeout=1.0)
        figures.take(time.time())
    print(time.thread_time() - began_s, flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def measure(devices: int) -> dict[str, float]:
    """Return the microseconds of a sample from each source."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        broker = Mosquitto(folder / "mosquitto", settings="allow_anonymous true\nmax_queued_messages 0")
        broker.start()
        stack.callback(broker.kill)
        server = stack.enter_context(nats_server(folder / "nats", mapping("hall", PARTITIONS)))
        processes = {
            kind: subprocess.Popen(
                [sys.executable, "-m", "benchmarks.stream_cost", kind, str(port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
            for kind, port in (("NATS", server.port), ("MQTT", broker.port))
        }
        for process in processes.values():
            stack.callback(process.wait, 60)
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes.values():
            send_newline(process)
        loads = [
            subprocess.Popen([sys.executable, "-m", "benchmarks.hall", "load", str(port), str(devices)])
            for port in (server.mqtt_port, broker.port)
        ]
        for load in loads:
            load.wait()
        time.sleep(2)
        samples = int(hall.SECONDS / hall.PERIOD_S) * hall.SAMPLES * devices
        taken = {}
        for kind, process in processes.items():
            send_newline(process)
            assert process.stdout is not None
            taken[kind] = float(process.stdout.readline()) / samples * 1e6
        return taken


def send_newline(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def main(devices: int, rounds: int) -> None:
    found = [measure(devices) for _ in range(rounds)]
    for kind in ("NATS", "MQTT"):
        figures = [one[kind] for one in found]
        print(f"{kind}: median {statistics.median(figures):.2f} us a sample, {min(figures):.2f} to {max(figures):.2f}")
    ratios = [one["NATS"] / one["MQTT"] for one in found]
    print(f"NATS against MQTT: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] in (["NATS"], ["MQTT"]):
        asyncio.run(consume(sys.argv[1], int(sys.argv[2])))
    else:
        numbers = [int(argument) for argument in sys.argv[1:]]
        main(*(numbers + [200, 3][len(numbers) :]))

"""A hall of blasters: many devices publish samples over MQTT, and one daemon scores them.

Broker and load run on this machine too. The shares of a core are those of the daemon in the first half of the time, in
which it creates a file for each device, and in the second. Run: python -m benchmarks.hall [devices ...]
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

from benchmarks.idle_cost import processor_s
from benchmarks.inbound_samples import publish_bytes
from models.synthetic import synthesise
from stinger.wire.sample_messages import SampleMessage, encode_message
from tests.helpers.brokers import Mosquitto
from tests.helpers.daemons import daemon

SECONDS = 15
SAMPLES = 20
PERIOD_S = SAMPLES / 100


def generate(port: int, devices: int) -> None:
    """Publish a message of 20 samples for each device every 200 ms, the devices spread evenly over that time."""
    samples = synthesise(minutes=SECONDS / 60 + 0.1, seed=1, still_pause=False).copy()
    samples["timestamp_ms"] = np.arange(samples.size) * 10 + 1000
    messages = [
        encode_message(SampleMessage(i * SAMPLES, samples[i * SAMPLES : (i + 1) * SAMPLES]))
        for i in range(int(SECONDS / PERIOD_S))
    ]
    topics = [b"stinger/b%d/samples" % n for n in range(devices)]
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04load")
        link.recv(4)
        total = len(messages) * devices
        began, sent = time.perf_counter(), 0
        while sent < total:
            due = min(total, int((time.perf_counter() - began) / PERIOD_S * devices))
            link.sendall(b"".join(publish_bytes(topics[n % devices], messages[n // devices]) for n in range(sent, due)))
            sent = due
            time.sleep(0.005)


def scrape(address: str) -> str:
    with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def total(text: str, name: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? ([\d.e+]+)$", text, re.MULTILINE))


def quantile(text: str, stage: str, q: float) -> float:
    """Return an upper bound of a quantile in ms, from the buckets of the histogram."""
    rows = re.findall(rf'stinger_latency_seconds_bucket{{stage="{stage}",le="([^"]+)"}} (\d+)', text)
    whole = float(rows[-1][1])
    return next(float(bound) for bound, count in rows if float(count) >= q * whole) * 1000


def settled(address: str) -> tuple[str, float]:
    """Wait until no more samples arrive; return the metrics, and the seconds until the last: a backlog is not a loss."""
    began = time.monotonic()
    text, behind_s = scrape(address), 0.0
    while time.monotonic() - began < behind_s + 2:
        time.sleep(0.1)
        newer = scrape(address)
        if total(newer, "stinger_samples_total") != total(text, "stinger_samples_total"):
            behind_s = time.monotonic() - began
        text = newer
    return text, behind_s


def share_of_core(pid: int, seconds: float) -> float:
    """Return the share of a core that a process takes in the next ``seconds``, in percent."""
    began, before_s = time.monotonic(), processor_s(pid)
    time.sleep(seconds)
    return 100 * (processor_s(pid) - before_s) / (time.monotonic() - began)


def measure(devices: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        broker = Mosquitto(Path(name) / "mosquitto", settings="allow_anonymous true\nmax_queued_messages 0")
        broker.start()
        try:
            url = f"mqtt://127.0.0.1:{broker.port}"
            with daemon(Path(name), "--source", "mqtt:", "--broker", url, "--metrics-port", "0") as process:
                address = process.wait_for(r"metrics: (http://\S+)/metrics")[1]
                time.sleep(1)
                command = [sys.executable, "-m", "benchmarks.hall", "load", str(broker.port), str(devices)]
                with subprocess.Popen(command) as load:
                    shares = [share_of_core(process.process.pid, SECONDS / 2) for _ in range(2)]
                    assert load.wait(timeout=SECONDS * 4) == 0
                text, behind_s = settled(address)
        finally:
            broker.kill()
        sent = int(SECONDS / PERIOD_S) * SAMPLES * devices
        print(
            f"{devices:6,} devices, {devices * 100:,} samples/s: {sent - total(text, 'stinger_samples_total'):,.0f} of "
            f"{sent:,} lost; from reading to decision p50 <= {quantile(text, 'decision', 0.5):g} ms, "
            f"p99 <= {quantile(text, 'decision', 0.99):g} ms; the last {behind_s:.1f} s behind; "
            f"daemon {shares[0]:.0f} % of a core at first, {shares[1]:.0f} % then, "
            f"{total(text, 'process_cpu_seconds_total'):.1f} s CPU with its start, "
            f"{total(text, 'process_resident_memory_bytes') / 1e6:.0f} MB"
        )


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "load":
        generate(int(sys.argv[2]), int(sys.argv[3]))
    else:
        for count in [int(argument) for argument in sys.argv[1:]] or [100, 500, 1000, 1500]:
            measure(count)

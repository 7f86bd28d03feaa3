"""Measures metrics of 1,000 devices: the cost of counting a block, of a scrape, and its effect on an event loop.

Run: python -m benchmarks.metrics_scrape.
"""

from __future__ import annotations

import asyncio
import time
import urllib.request
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from benchmarks.timing import side_by_side
from service.ops.http import HttpServer
from service.ops.metrics import BUCKETS_S, Metrics

DEVICES = 1000
FAMILIES = 14
ROUNDS = 50_000
SCRAPES = 20


class _Families(Collector):
    """The same number of series, as metric objects of prometheus-client."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        for number in range(FAMILIES):
            family = CounterMetricFamily(f"stinger_{number}", "Something.", labels=["device"])
            for device in range(DEVICES):
                family.add_metric([f"blaster{device}"], device)
            yield family


def time_counting() -> None:
    metrics = Metrics()
    registry = CollectorRegistry()
    samples, scores = (Counter(name, name, ["device"], registry=registry).labels("d") for name in ("samples", "scores"))
    stages = Histogram("latency", "Latency.", ["stage"], registry=registry, buckets=BUCKETS_S)
    children = [stages.labels(stage) for stage in ("read", "score", "decision")]

    def ours() -> None:
        for _ in range(ROUNDS):
            device = metrics.device("d")
            device.samples += 1
            device.scores += 1
            metrics.read.observe(120_000)
            metrics.score.observe(150_000)
            metrics.decision.observe(300_000)

    def theirs() -> None:
        for _ in range(ROUNDS):
            samples.inc()
            scores.inc()
            for child, seconds in zip(children, (0.00012, 0.00015, 0.0003), strict=True):
                child.observe(seconds)

    ways = {"plain numbers": ours, "prometheus-client, labelled children": theirs}
    for way, seconds in side_by_side(f"{ROUNDS:,} blocks counted: 2 counters, 3 latencies", ways, rounds=5).items():
        print(f"  {way:<44}{seconds / ROUNDS * 1e6:10.2f} us a block")


async def worst_lag_ms(seconds: float) -> list[float]:
    """Return how late a loop runs that is due every millisecond, in ms, ascending."""
    lags = []
    end = time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        await asyncio.sleep(0.001)
        lags.append((time.perf_counter() - now - 0.001) * 1e3)
    return sorted(lags)


async def lag_while(title: str, url: str | None) -> None:
    async def scrape() -> list[float]:
        took = []
        for _ in range(SCRAPES if url else 0):
            start = time.perf_counter()
            # Another process scrapes, as Prometheus does, so that this one does only the serving.
            curl = await asyncio.create_subprocess_exec(
                "curl", "-s", "-o", "/dev/null", "-w", "%{time_total}", url or "", stdout=-1
            )
            output, _ = await curl.communicate()
            took.append(float(output or time.perf_counter() - start) * 1e3)
            await asyncio.sleep(0.05)
        return sorted(took)

    took, lags = await asyncio.gather(scrape(), worst_lag_ms(2.0))
    shown = f"scrape {took[len(took) // 2]:.1f} ms" if took else "no scrape"
    print(
        f"  {title:<44}{shown:<18} lag p50 {lags[len(lags) // 2]:.2f}  p99 {lags[int(len(lags) * 0.99)]:.2f}  worst {lags[-1]:.2f} ms"
    )


def main() -> None:
    time_counting()
    metrics = Metrics()
    for number in range(DEVICES):
        metrics.device(f"blaster{number}").samples += 1
        metrics.set_model(f"blaster{number}", "20260131T170203Z-lr")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families())
    ways = {"ours": metrics.expose, "prometheus-client": lambda: generate_latest(registry)}
    side_by_side(f"{DEVICES * FAMILIES:,} series as text ({len(metrics.expose()) / 1e6:.2f} MB)", ways)
    print("\nan event loop in the same process, beside a scrape every 50 ms")
    with HttpServer(port=0, metrics=metrics.expose, unready_reason=str) as server:
        urllib.request.urlopen(f"{server.url}/metrics").close()
        asyncio.run(lag_while("no scrapes", None))
        asyncio.run(lag_while("ours", f"{server.url}/metrics"))
    with HttpServer(port=0, metrics=lambda: generate_latest(registry), unready_reason=str) as server:
        asyncio.run(lag_while("prometheus-client", f"{server.url}/metrics"))


if __name__ == "__main__":
    main()

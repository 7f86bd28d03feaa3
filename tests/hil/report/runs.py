"""Invented records of runs, reproducible, like those of the bench."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hil.limits import Limit, Verdict
from hil.record import Latency, Measurement, RunRecord, ScenarioRecord, TimelineEntry

ENVIRONMENT: dict[str, str | float | None] = {
    "stinger-ml": "0.1.0",
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "model": "factory (sha256 89abcdef0123)",
    "Python": "CPython 3.13.1",
    "operating system": "Debian GNU/Linux 13 (trixie)",
    "kernel": "Linux 6.12.0",
    "computer": "Raspberry Pi 5 Model B Rev 1.0",
    "processor": None,
    "cores": 4,
    "load average, 1 min": 0.42,
    "latency timer, ms": None,
}
FAULTS = ("drop", "duplicate", "reorder", "corrupt", "cut", "stall", "jitter", "drift", "reboot", "unplug", "garbage")
STAGES = (("emitted to read", 0.4), ("read to scored", 0.9), ("scored to published", 0.6), ("emitted to received", 3.2))


def latency(
    stage: str,
    median_ms: float,
    rng: np.random.Generator,
    *,
    count: int = 1000,
    floor: bool = False,
    unsure: bool = False,
) -> Latency:
    """Return a log-normal latency with a few outliers."""
    values = 1000 * median_ms * rng.lognormal(0, 0.25, count)
    values[rng.random(count) < 0.004] *= 12
    p50, p90, p99, p999 = (round(float(value), 1) for value in np.quantile(values, [0.5, 0.9, 0.99, 0.999]))
    edges, counts = np.unique(np.ceil(values / 20) * 20, return_counts=True)
    return Latency(
        stage,
        count,
        p50,
        p90,
        p99,
        p999,
        round(float(values.max()), 1),
        buckets=[(float(edge), int(number)) for edge, number in zip(edges, counts, strict=True)],
        corrected=not floor,
        floor=floor,
        uncertainty_us=350.0 if unsure else None,
    )


def measured(rng: np.random.Generator, received: Latency) -> list[Measurement]:
    """Return the measurements of a scenario."""
    assert received.p99_us is not None
    return [
        Measurement("shots lost", "shots", 0.0, Limit(at_most=0)),
        Measurement("events repeated", "events", 0.0, Limit(at_most=0)),
        Measurement("samples lost, but for those of the fault", "samples", 0.0, Limit(at_most=0)),
        Measurement("samples lost as the daemon counts them", "samples", 12.0, Limit(12, 12)),
        Measurement("latency from shot to message, p99", "ms", received.p99_us / 1000, Limit(at_most=20, marginal=4)),
        Measurement("host and device differ by", "", float(rng.uniform(1e-8, 4e-7)), Limit(at_most=1e-5)),
        Measurement("shots in time", "%", float(rng.uniform(93, 99)), Limit(at_least=90, marginal=2)),
        Measurement("sample rate seen", "Hz", float(rng.normal(100, 0.05)), Limit(99, 101)),
        Measurement("memory of the daemon", "MiB", float(rng.uniform(80, 90))),
        Measurement("clock drift", "ppm", None, note="the emulated device shares this computer's clock"),
    ]


def scenario(
    name: str, title: str, rng: np.random.Generator, *, started_s: float, dut: str = "emulated"
) -> ScenarioRecord:
    """Return a scenario that passed, with a fault, its recovery and a shot every 0.8 s."""
    latencies = [latency(stage, median, rng, unsure=dut != "emulated") for stage, median in STAGES]
    latencies.append(latency("emitted to received", 0.5, rng, floor=True))
    begins = float(rng.uniform(2, 5))
    timeline = [
        TimelineEntry(begins, "fault", name, until_s=begins + 1.5, device="stinger-0"),
        TimelineEntry(begins + 1.5, "recovery", "samples flow again", until_s=begins + 1.71, device="stinger-0"),
        *(TimelineEntry(float(at), "event", "shot", device="stinger-0") for at in np.arange(0.4, 10, 0.8)),
    ]
    return ScenarioRecord(
        name,
        title,
        dut,
        seed=7,
        started_s=started_s,
        duration_s=10.0,
        verdict=Verdict.PASS,
        measurements=measured(rng, latencies[3]),
        latencies=latencies,
        timeline=timeline,
    )


def hall(rng: np.random.Generator, *, devices: int, started_s: float) -> ScenarioRecord:
    """Return a scenario with many devices, one of which lost shots."""
    base = scenario("hall", f"{devices} blasters at once, several unplugged", rng, started_s=started_s)
    measurements = [
        Measurement(f"stinger-{i}: shots lost", "shots", 3.0 if i == 31 else 0.0, Limit(at_most=0))
        for i in range(devices)
    ]
    timeline = []
    for i in range(devices):
        at = float(rng.uniform(1, 8))
        if rng.random() < 0.4:
            timeline.append(TimelineEntry(at, "fault", "unplug", until_s=at + 0.9, device=f"stinger-{i}"))
            timeline.append(
                TimelineEntry(at + 0.9, "recovery", "samples flow again", until_s=at + 1.2, device=f"stinger-{i}")
            )
        timeline += [
            TimelineEntry(float(shot), "event", "shot", device=f"stinger-{i}") for shot in rng.uniform(0, 10, 12)
        ]
    return replace(base, verdict=Verdict.FAIL, measurements=measurements, timeline=timeline)


def with_values(one: ScenarioRecord, verdict: Verdict, why: str = "", **values: float | None) -> ScenarioRecord:
    """Return ``one`` with other values of measurements, by the start of their names with ``_`` for spaces."""

    def changed(each: Measurement) -> Measurement:
        for beginning, value in values.items():
            if each.name.startswith(beginning.replace("_", " ")):
                return replace(each, value=value, note=each.note or ("no clock in common" if value is None else ""))
        return each

    return replace(one, verdict=verdict, why=why, measurements=[changed(each) for each in one.measurements])


def run_of(scenarios: Sequence[ScenarioRecord], **environment: str | float | None) -> RunRecord:
    """Return a run of these scenarios, with the worst verdict."""
    worst = max((each.verdict for each in scenarios), key=lambda verdict: verdict.rank, default=Verdict.PASS)
    ends = max((each.started_s + each.duration_s for each in scenarios), default=0.0)
    return RunRecord("2026-03-01T09:30:00+00:00", ends + 1.3, worst, ENVIRONMENT | environment, list(scenarios))


def big_run(*, seed: int = 1, devices: int = 50) -> RunRecord:
    """Return a run with every verdict, every kind of chart, and 50 devices."""
    rng = np.random.default_rng(seed)
    steady = scenario("steady", "An undisturbed minute of play", rng, started_s=0)
    alone = [
        scenario(
            name,
            f"The fault '{name}' alone",
            rng,
            started_s=12.0 * place,
            dut="serial:/dev/ttyACM0" if name == "drift" else "emulated",
        )
        for place, name in enumerate(FAULTS, 1)
    ]
    alone[1] = with_values(alone[1], Verdict.FAIL, events_repeated=4)
    alone[5] = with_values(alone[5], Verdict.MARGINAL, latency_from=17.3)
    alone[6] = with_values(
        alone[6], Verdict.INCONCLUSIVE, "this computer woke up 14 ms late at p99 by itself", latency_from=31.0
    )
    alone[7] = with_values(alone[7], Verdict.UNSET, "", host_and=None, samples_lost_as=None)
    outage = replace(
        steady,
        name="broker outage",
        title="The broker is stopped for a while",
        verdict=Verdict.SKIPPED,
        why="mosquitto is not installed here: a broker that is stopped and started needs it",
        started_s=170.0,
        duration_s=0.0,
        measurements=[],
        latencies=[],
        timeline=[],
    )
    return run_of([steady, *alone, hall(rng, devices=devices, started_s=150.0), outage])


def older_run() -> RunRecord:
    """Return an older version of :func:`big_run` on another machine, partly better and partly worse."""
    run = big_run()
    old = list(run.scenarios)
    old[2] = with_values(old[2], Verdict.PASS, events_repeated=0)
    received = old[0].latencies[3]
    assert received.p50_us is not None
    assert received.p99_us is not None
    faster = replace(received, p50_us=received.p50_us / 2, p99_us=received.p99_us / 2.5)
    old[0] = replace(old[0], latencies=[*old[0].latencies[:3], faster, *old[0].latencies[4:]])
    old[9] = with_values(old[9], Verdict.PASS, shots_in=91.0)
    old[4] = replace(old[4], name="cosmic rays")
    return replace(run_of(old, kernel="Linux 6.1.0", commit="fedcba9876543210"), started="2026-02-01T18:00:00+00:00")

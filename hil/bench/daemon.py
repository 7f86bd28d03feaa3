"""The daemon under test: ``stinger run`` as a process, used through its public interfaces only."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from hil.bench.processes import ChildProcess
from hil.measuring.observations import DaemonObservations
from stinger.paths import recordings_dir
from stinger.sample import SAMPLE_BYTES, SAMPLE_DTYPE, SampleArray
from stinger.units import NS_PER_S

_READY: Final = r"^ready: broker mqtt://[^:\s]+:(\d+), model (.+)$"
_METRICS_URL: Final = r"^metrics: (http://\S+)/metrics$"
_SCRAPE_TIMEOUT_S: Final = 5.0
_METRIC_LINE: Final = re.compile(r'^(\w+)(?:\{[^}]*?device="([^"]+)"[^}]*\}|\{[^}]*\})? (\S+)$', re.MULTILINE)
_TRACEBACK: Final = "Traceback (most recent call last)"


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonOptions:
    """How to start the daemon: ``command``, which takes the options of ``stinger run``, and the values for them.

    ``sources`` are source URLs, each with the name of its device.
    """

    command: Sequence[str]
    sources: Sequence[str]
    broker: str
    data_dir: Path
    scores: bool = True


class DaemonUnderTest:
    """One daemon, which may be killed and started again; its counters are summed over all its processes."""

    def __init__(self, options: DaemonOptions, folder: Path) -> None:
        command = [*options.command, "--broker", options.broker, "--data-dir", str(options.data_dir), "--stamps"]
        if options.broker.startswith("embedded"):
            command.append("--broker-open")  # it lives for a scenario, and has nothing to protect
        command += ["--metrics-port", "0", *(["--scores"] if options.scores else [])]
        for source in options.sources:
            command += ["--source", source]
        self.process = ChildProcess("the daemon", command, folder / "daemon.log")
        self.broker_port = 0
        """The port of the broker that it uses; known once it is ready."""
        self._counters: dict[str, dict[str, float]] = {}
        self._model = ""
        self._metrics_url = ""
        self._ready_s: float | None = None
        self._exit_code: int | None = None
        self._stop_s: float | None = None
        self._cpu_s: list[tuple[float, float]] = []
        self._memory_mb: list[float] = []

    async def start(self) -> None:
        """Start it, and wait until it is ready. Raises :class:`~hil.bench.processes.ProcessError`."""
        self.process.start()
        ready = await self.process.wait_for(_READY)
        if self._ready_s is None:
            self._ready_s = (time.monotonic_ns() - self.process.started_ns) / NS_PER_S
            self._model = ready[2]
        self.broker_port = int(ready[1])
        self._metrics_url = (await self.process.wait_for(_METRICS_URL))[1]
        self._cpu_s.clear()

    async def stop(self) -> None:
        """Ask it to end with SIGTERM, and note exit code and time."""
        await asyncio.to_thread(self.collect_counters)
        asked_ns = time.monotonic_ns()
        self._exit_code = await self.process.stop()
        self._stop_s = (time.monotonic_ns() - asked_ns) / NS_PER_S

    def scrape(self) -> dict[str, dict[str, float]]:
        """Read its metrics, and note CPU and memory.

        Return the metrics by device, those without a device under ``""``; ``{}`` if it does not answer.
        """
        try:
            with urllib.request.urlopen(f"{self._metrics_url}/metrics", timeout=_SCRAPE_TIMEOUT_S) as answer:  # noqa: S310 - http
                text: str = answer.read().decode()
        except OSError:
            return {}
        found: dict[str, dict[str, float]] = {}
        for name, device, value in _METRIC_LINE.findall(text):
            values = found.setdefault(device, {})
            values[name] = values.get(name, 0.0) + float(value)
        own = found.get("", {})
        if "process_cpu_seconds_total" in own:
            self._cpu_s.append((time.monotonic(), own["process_cpu_seconds_total"]))
            self._memory_mb.append(own["process_resident_memory_bytes"] / 1e6)
        return found

    def collect_counters(self) -> None:
        """Add the counters of this process, which is about to end, to the totals."""
        for device, values in self.scrape().items():
            totals = self._counters.setdefault(device, {})
            for name, value in values.items():
                totals[name] = totals.get(name, 0.0) + value

    def counters(self, device: str) -> Mapping[str, float]:
        """Return the totals of ``device`` collected so far, by the name of the metric."""
        return self._counters.get(device, {})

    def observations(self) -> DaemonObservations:
        """Return what was observed of the process."""
        cpu_percent = None
        if len(self._cpu_s) > 1:
            (since_s, before), (until_s, after) = self._cpu_s[0], self._cpu_s[-1]
            cpu_percent = 100 * (after - before) / (until_s - since_s)
        early = self._memory_mb[: max(1, len(self._memory_mb) // 4)]
        log = self.process.log.read_text(encoding="utf-8", errors="replace")
        return DaemonObservations(
            exit_code=self._exit_code,
            stop_s=self._stop_s,
            ready_s=self._ready_s,
            tracebacks=log.count(_TRACEBACK),
            cpu_percent=cpu_percent,
            memory_mb=self._memory_mb[-1] if self._memory_mb else None,
            memory_growth_mb=self._memory_mb[-1] - max(early) if len(self._memory_mb) > 1 else None,
            model=self._model,
        )


def read_recordings(data_dir: Path, device: str) -> tuple[SampleArray, int]:
    """Return the samples that an ended daemon recorded of ``device``, and its number of damaged recordings.

    The samples are ``(n,)``, oldest first. A recording is damaged if it has a torn record or no sidecar, or if its
    sidecar does not state that it is closed or holds another number of samples.
    """
    parts, damaged = [], 0
    for path in sorted((recordings_dir(data_dir) / device).glob("*.bin")):
        data = path.read_bytes()
        parts.append(data[: len(data) // SAMPLE_BYTES * SAMPLE_BYTES])
        damaged += len(data) % SAMPLE_BYTES != 0 or not _matches(_read_sidecar(path), len(data) // SAMPLE_BYTES)
    return np.frombuffer(b"".join(parts), dtype=SAMPLE_DTYPE), damaged


def _read_sidecar(path: Path) -> Mapping[str, object]:
    try:
        content = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _matches(sidecar: Mapping[str, object], samples: int) -> bool:
    return sidecar.get("closed") is True and sidecar.get("samples") == samples

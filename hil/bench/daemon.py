"""The daemon under test: ``stinger run`` as a process, met as anybody would meet it."""

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

READY: Final = r"^ready: broker mqtt://[^:\s]+:(\d+), model (.+)$"
_METRICS: Final = r"^metrics: (http://\S+)/metrics$"
_SCRAPE_S: Final = 5.0
_LINE: Final = re.compile(r'^(\w+)(?:\{[^}]*?device="([^"]+)"[^}]*\}|\{[^}]*\})? (\S+)$', re.MULTILINE)
_TRACEBACK: Final = "Traceback (most recent call last)"


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonOptions:
    """How the daemon is started: ``command``, and options of ``stinger run`` after it.

    ``sources`` are URLs with a device's name each.
    """

    command: Sequence[str]
    sources: Sequence[str]
    broker: str
    data_dir: Path
    scores: bool = True


class DaemonUnderTest:
    """One daemon, perhaps in several lives. ``told`` are its counts by device, those of all lives together."""

    def __init__(self, setup: DaemonOptions, folder: Path) -> None:
        self._setup = setup
        command = [*setup.command, "--broker", setup.broker, "--data-dir", str(setup.data_dir), "--stamps"]
        command += ["--metrics-port", "0", *(["--scores"] if setup.scores else [])]
        for source in setup.sources:
            command += ["--source", source]
        self.child = ChildProcess("the daemon", command, folder / "daemon.log")
        self.told: dict[str, dict[str, float]] = {}
        self.broker_port = 0
        self._model = ""
        self._metrics_url = ""
        self._ready_s: float | None = None
        self._exit_code: int | None = None
        self._stop_s: float | None = None
        self._cpu_s: list[tuple[float, float]] = []
        self._memory_mb: list[float] = []

    async def start(self) -> None:
        """Start it, and wait until it is ready. Raises :class:`~hil.bench.processes.ProcessError`."""
        self.child.start()
        ready = await self.child.wait_for(READY)
        if self._ready_s is None:
            self._ready_s = (time.monotonic_ns() - self.child.started_ns) / 1e9
            self._model = ready[2]
        self.broker_port = int(ready[1])
        self._metrics_url = (await self.child.wait_for(_METRICS))[1]
        self._cpu_s.clear()

    def look(self) -> dict[str, dict[str, float]]:
        """Its metrics now, by device (``""`` for its own); nothing if it cannot be asked. Also notes CPU and memory."""
        try:
            with urllib.request.urlopen(f"{self._metrics_url}/metrics", timeout=_SCRAPE_S) as answer:  # noqa: S310 - http
                text: str = answer.read().decode()
        except OSError:
            return {}
        found: dict[str, dict[str, float]] = {}
        for name, device, value in _LINE.findall(text):
            values = found.setdefault(device, {})
            values[name] = values.get(name, 0.0) + float(value)
        own = found.get("", {})
        if "process_cpu_seconds_total" in own:
            self._cpu_s.append((time.monotonic(), own["process_cpu_seconds_total"]))
            self._memory_mb.append(own["process_resident_memory_bytes"] / 1e6)
        return found

    def keep_counts(self) -> None:
        """Add up what it has counted in this life, which is about to end."""
        for device, values in self.look().items():
            totals = self.told.setdefault(device, {})
            for name, value in values.items():
                totals[name] = totals.get(name, 0.0) + value

    async def end(self) -> None:
        """Ask it to end, and note how it did."""
        await asyncio.to_thread(self.keep_counts)
        asked_ns = time.monotonic_ns()
        self._exit_code = await self.child.end()
        self._stop_s = (time.monotonic_ns() - asked_ns) / 1e9

    def evidence(self) -> DaemonObservations:
        """What was seen of the process."""
        cpu_percent = None
        if len(self._cpu_s) > 1:
            (since_s, before), (until_s, after) = self._cpu_s[0], self._cpu_s[-1]
            cpu_percent = 100 * (after - before) / (until_s - since_s)
        early = self._memory_mb[: max(1, len(self._memory_mb) // 4)]
        return DaemonObservations(
            exit_code=self._exit_code,
            stop_s=self._stop_s,
            ready_s=self._ready_s,
            tracebacks=self.child.log.read_text(encoding="utf-8", errors="replace").count(_TRACEBACK),
            cpu_percent=cpu_percent,
            memory_mb=self._memory_mb[-1] if self._memory_mb else None,
            memory_growth_mb=self._memory_mb[-1] - max(early) if len(self._memory_mb) > 1 else None,
            model=self._model,
        )


def read_recordings(data_dir: Path, device: str) -> tuple[SampleArray, int]:
    """What a daemon that has ended recorded of ``device``, oldest first ``(n,)``, and how many files are damaged.

    Damaged is a recording with a torn record, without a sidecar, or whose sidecar says that it is not closed or holds
    another number of samples.
    """
    parts, damaged = [], 0
    for path in sorted((recordings_dir(data_dir) / device).glob("*.bin")):
        data = path.read_bytes()
        parts.append(data[: len(data) // SAMPLE_BYTES * SAMPLE_BYTES])
        damaged += len(data) % SAMPLE_BYTES != 0 or not _fits(_sidecar(path), len(data) // SAMPLE_BYTES)
    return np.frombuffer(b"".join(parts), dtype=SAMPLE_DTYPE), damaged


def _sidecar(path: Path) -> Mapping[str, object]:
    try:
        content = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _fits(sidecar: Mapping[str, object], samples: int) -> bool:
    return sidecar.get("closed") is True and sidecar.get("samples") == samples

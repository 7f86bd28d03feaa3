"""What the page costs, for several viewers.

Shares of a core of its process and of the daemon, and the daemon's latency. An emulated blaster streams over TCP to a
daemon that publishes scores. Each round measures all of these, one after another:

- no page: the page's process does not run;
- nobody: it runs, and nobody looks;
- viewer: a process receives all that a browser does of the blaster's page, and draws nothing: the page's own cost, as
  if the browser were on another machine;
- browser, nice: Chromium shows the page and draws in software, at the lowest priority, also if all else has real-time priority;
- browser, one core: Chromium may use the last core only;
- browser: Chromium may use the daemon's cores, at its priority.

Latencies are medians of those that the daemon publishes once a second. The ratio is that to 'no page' of the same
round, its median over all rounds. Linux only.

Run: python -m benchmarks.page_cost [rounds] [viewer ...]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from playwright.sync_api import Playwright, sync_playwright

from benchmarks.page_viewer import READY
from tests.service.web.conftest import CHROMIUM
from tests.service.web.stage import Stage

ROUNDS = 5
WARM_S = 3.0
MEASURED_S = 10.0
WITHOUT: Final = "no page"
_PREFIXES: Final = {
    "browser, nice": "chrt -o 0 nice -n 19",
    "browser, one core": f"taskset -c {(os.cpu_count() or 1) - 1}",
    "browser": "",
}
_PATH: Final = "/device/b1"

Figures = dict[str, float]


def core_seconds(pid: int) -> float:
    """Return the processor time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(stage: Stage, names: tuple[str, ...]) -> Figures:
    """Return the shares of a core of the processes ``names`` in percent, and the daemon's median latencies in ms."""
    before = {name: core_seconds(stage.pid(name)) for name in names}
    began_s = time.monotonic()
    telemetry: list[dict[str, Any]] = []
    with stage.listening("stinger/b1/telemetry", lambda payload: telemetry.append(json.loads(payload))):
        time.sleep(MEASURED_S)
    took_s = time.monotonic() - began_s
    shares = {f"{name} %": 100 * (core_seconds(stage.pid(name)) - before[name]) / took_s for name in names}
    latencies = {key: median(one[key] for one in telemetry if one[key]) for key in ("latency_p50_ms", "latency_p99_ms")}
    return shares | latencies


def without_page(stage: Stage) -> Figures:
    """Measure while the page's process does not run."""
    return measure(stage, ("run",))


def with_nobody(stage: Stage) -> Figures:
    """Measure while the page's process runs, and nobody looks."""
    with page_process(stage):
        time.sleep(WARM_S)
        return measure(stage, ("run", "web"))


def with_viewer(stage: Stage) -> Figures:
    """Measure while :mod:`benchmarks.page_viewer` receives the page of the blaster."""
    with page_process(stage), _viewer(f"{stage.address}{_PATH}"):
        time.sleep(WARM_S)
        return measure(stage, ("run", "web"))


def with_browser(playwright: Playwright, prefix: str, stage: Stage) -> Figures:
    """Measure while Chromium, started with ``prefix``, shows the page of the blaster.

    The result has the frames a second as well.
    """
    script = stage.folder / "chromium"
    script.write_text(f'#!/bin/sh\nexec {prefix} {CHROMIUM} "$@"\n')
    script.chmod(0o700)
    browser = playwright.chromium.launch(executable_path=script, args=["--no-sandbox"])
    try:
        with page_process(stage):
            page = browser.new_page()
            page.goto(f"{stage.address}{_PATH}")
            page.locator(".live-chart[data-frames]").wait_for()
            time.sleep(WARM_S)
            frames = "Number(document.querySelector('.live-chart').dataset.frames)"
            first, began_s = page.evaluate(frames), time.monotonic()
            found = measure(stage, ("run", "web"))
            return found | {"frames/s": (page.evaluate(frames) - first) / (time.monotonic() - began_s)}
    finally:
        browser.close()


@contextmanager
def page_process(stage: Stage) -> Iterator[None]:
    """Have the page's process run within the block."""
    stage.start_page()
    try:
        yield
    finally:
        stage.kill("web")


@contextmanager
def _viewer(url: str) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.page_viewer", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == READY
            yield
            assert process.poll() is None, "the viewer lost its connection"
        finally:
            process.kill()


def main(rounds: int, wanted: Sequence[str]) -> None:
    """Print the figures of the viewers ``wanted``, all if there are none."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        kinds: dict[str, Callable[[Stage], Figures]] = {
            WITHOUT: without_page,
            "nobody": with_nobody,
            "viewer": with_viewer,
            **{name: partial(with_browser, playwright, prefix) for name, prefix in _PREFIXES.items()},
        }
        chosen = {name: run for name, run in kinds.items() if not wanted or name in (WITHOUT, *wanted)}
        turns: dict[str, list[Figures]] = {name: [] for name in chosen}
        stage = Stage(Path(folder))
        try:
            stage.start_blaster()
            stage.start_daemon()
            time.sleep(WARM_S)
            for number in range(rounds):
                for name, run in chosen.items():
                    turns[name].append(run(stage))
                print(f"round {number + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", flush=True)
        finally:
            stage.close()
    for name, found in turns.items():
        figures = ", ".join(f"{key} {median(one[key] for one in found):.2f}" for key in found[0])
        ratios = ", ".join(
            f"{key} x {median(one[key] / base[key] for one, base in zip(found, turns[WITHOUT], strict=True)):.2f}"
            for key in ("latency_p50_ms", "latency_p99_ms")
        )
        print(f"{name}: {figures}; {ratios}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS, sys.argv[2:])

"""What the page costs: shares of a core of its process and of the daemon, and the daemon's latency, with and without a viewer.

An emulated blaster streams over TCP to a daemon that publishes scores. Turns without the page's process alternate with turns in
which a Chromium shows the page of that blaster. Latencies are medians of those that the daemon publishes once a second. Linux only.

Run: python -m benchmarks.page_cost [rounds]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.service.web.conftest import CHROMIUM
from tests.service.web.stage import Stage

ROUNDS = 5
WARM_S = 3.0
MEASURED_S = 10.0


def core_seconds(pid: int) -> float:
    """Return the processor time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(stage: Stage, names: tuple[str, ...]) -> dict[str, float]:
    """Return the shares of a core of the processes ``names`` in percent, and the daemon's median latencies in ms."""
    before = {name: core_seconds(stage.pid(name)) for name in names}
    began_s = time.monotonic()
    telemetry: list[dict[str, Any]] = []
    with stage.listening("stinger/b1/telemetry", lambda payload: telemetry.append(json.loads(payload))):
        time.sleep(MEASURED_S)
    took_s = time.monotonic() - began_s
    shares = {name: 100 * (core_seconds(stage.pid(name)) - before[name]) / took_s for name in names}
    latencies = {key: median(one[key] for one in telemetry if one[key]) for key in ("latency_p50_ms", "latency_p99_ms")}
    return shares | latencies


def with_viewer(stage: Stage, browser: Browser) -> dict[str, float]:
    """Measure while the page of the blaster is shown; the result has the frames a second as well."""
    stage.start_page()
    page = browser.new_page()
    page.goto(f"{stage.address}/device/b1")
    page.locator(".live-chart[data-frames]").wait_for()
    time.sleep(WARM_S)
    frames = "Number(document.querySelector('.live-chart').dataset.frames)"
    first, began_s = page.evaluate(frames), time.monotonic()
    found = measure(stage, ("run", "web"))
    rate = (page.evaluate(frames) - first) / (time.monotonic() - began_s)
    page.close()
    stage.kill("web")
    return found | {"frames/s": rate}


def main(rounds: int) -> None:
    turns: dict[str, list[dict[str, float]]] = {"without the page": [], "with a viewer": []}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        stage = Stage(Path(folder))
        try:
            stage.start_blaster()
            stage.start_daemon()
            time.sleep(WARM_S)
            for _ in range(rounds):
                turns["without the page"].append(measure(stage, ("run",)))
                turns["with a viewer"].append(with_viewer(stage, browser))
        finally:
            browser.close()
            stage.close()
    for name, found in turns.items():
        figures = ", ".join(f"{key} {median(one[key] for one in found):.2f}" for key in found[0])
        print(f"{name}: {figures}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)

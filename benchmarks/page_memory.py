"""Memory of the page's process and of a browser's tab over time.

One viewer looks at a device that streams. Linux only. An emulated blaster streams over TCP to a daemon that publishes
scores, and a Chromium shows the page of that blaster. Each minute, the resident memory of the page's process and the
used heap of the tab's JavaScript, after a collection of garbage, are printed in MB.

Run: python -m benchmarks.page_memory [minutes]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.watched_page import watched_page

MINUTES = 30


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


class Tab:
    """A tab whose JavaScript heap is measured."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def heap_mb(self) -> float:
        """Return the used JavaScript heap after a collection of garbage."""
        self._session.send("HeapProfiler.collectGarbage")
        used = self._session.send("Runtime.getHeapUsage")["usedSize"]
        return float(used) / 1e6


def main(minutes: int) -> None:
    with watched_page() as (stage, browser):
        page = browser.new_page()
        page.goto(f"{stage.address}/device/b1")
        page.locator(".live-chart[data-frames]").wait_for()
        tab = Tab(page)
        print("minute  server MB  tab's heap MB", flush=True)
        began_s = time.monotonic()
        for minute in range(minutes + 1):
            time.sleep(max(0.0, began_s + 60 * minute - time.monotonic()))
            print(f"{minute:6}  {resident_mb(stage.pid('web')):9.1f}  {tab.heap_mb():13.2f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MINUTES)

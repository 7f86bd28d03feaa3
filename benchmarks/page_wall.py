"""What a wall of many devices costs.

Updates a second in the browser, and the share of a core that the page's process takes. The devices are published to the
daemon's broker with scores of every sample, telemetry and shots. Linux only.

Run: python -m benchmarks.page_wall [devices]
"""

from __future__ import annotations

import sys
import time

from benchmarks.page_cost import core_seconds
from benchmarks.watched_page import watched_page
from tests.service.web.many_devices import published_devices

DEVICES = 50
WARM_S = 5.0
MEASURED_S = 20.0


def main(devices: int) -> None:
    with watched_page() as (stage, browser), published_devices(stage, devices):
        time.sleep(WARM_S)
        alone_s = core_seconds(stage.pid("web"))
        time.sleep(MEASURED_S)
        alone_s = core_seconds(stage.pid("web")) - alone_s
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(stage.address)
        page.wait_for_function("document.querySelector('.devices')?.dataset.updates > 20")
        updates = "Number(document.querySelector('.devices').dataset.updates)"
        first, began_s, before_s = page.evaluate(updates), time.monotonic(), core_seconds(stage.pid("web"))
        time.sleep(MEASURED_S)
        rate = (page.evaluate(updates) - first) / (time.monotonic() - began_s)
        share = 100 * (core_seconds(stage.pid("web")) - before_s) / (time.monotonic() - began_s)
    print(
        f"{devices} devices: {rate:.1f} updates a second in the browser; the page's process takes "
        f"{share:.0f} % of a core with a viewer, {100 * alone_s / MEASURED_S:.0f} % without"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else DEVICES)

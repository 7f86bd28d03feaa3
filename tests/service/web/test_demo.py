"""The page of the demo: something moves in it as soon as it is opened."""

from __future__ import annotations

import signal
import subprocess

from playwright.sync_api import Page

from tests.helpers.cli import STINGER
from tests.helpers.patience import PATIENCE_S
from tests.service.web.stage import PATIENCE_MS


def test_the_demos_page_soon_has_a_moving_picture_with_a_shot(page: Page) -> None:
    with subprocess.Popen([*STINGER, "demo"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            page.goto(process.stdout.readline().split()[-1], timeout=PATIENCE_MS)
            page.wait_for_function("document.querySelector('.live-chart')?.dataset.frames > 10")
            page.locator(".events li", has_text="shot").first.wait_for()
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0

"""The page of a daemon that receives an emulated blaster's samples, and a browser to look at it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.service.web.conftest import CHROMIUM
from tests.service.web.stage import Stage


@contextmanager
def watched_page() -> Iterator[tuple[Stage, Browser]]:
    """Start the blaster ``b1``, a daemon, the page's server and a browser without a tab; end them afterwards."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with closing(browser), closing(Stage(Path(folder))) as stage:
            stage.start_blaster()
            stage.start_daemon()
            stage.start_page()
            yield stage, browser

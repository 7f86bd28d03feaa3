"""A browser, and an installation that the tests of a module share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.service.web.stage import PATIENCE_MS, Stage

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The installed Chromium, without a window."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An emulated blaster, a daemon and a page that run while the tests of a module do."""
    stage = Stage(tmp_path_factory.mktemp("web"))
    try:
        stage.start_blaster()
        stage.start_daemon()
        stage.start_page()
        yield stage
    finally:
        stage.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser's profile; at the end, the test fails if a page in it had an error, or asked another host for something."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    problems: list[str] = []
    context.on("weberror", lambda error: problems.append(f"error: {error.error}"))
    context.on("console", lambda line: problems.append(line.text) if "Content Security Policy" in line.text else None)
    hosts: set[str] = set()
    context.on("request", lambda request: hosts.add(request.url.split("/")[2]) if "://" in request.url else None)
    yield context
    context.close()
    assert problems == []
    assert all(host.startswith("127.0.0.1:") for host in hosts), hosts


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page in :func:`context`."""
    return context.new_page()

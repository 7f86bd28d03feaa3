"""A browser, and an installation that the tests of a module share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, WebError, sync_playwright

from tests.service.web.stage import PATIENCE_MS, Stage

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Without a GPU, all that draws is done by the processor. Each process for a page, and each that waits for a next page,
# costs the start of a JavaScript engine.
OPTIONS = ("--no-sandbox", "--disable-gpu", "--process-per-site", "--renderer-process-limit=1")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The installed Chromium, without a window."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
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


@pytest.fixture(scope="module")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    """A browser's profile, so that the scripts and styles of the pages are loaded once for a module."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def context(profile: BrowserContext) -> Iterator[BrowserContext]:
    """The profile, without cookies; at the end, the test fails if a page had an error, or asked another host for something."""
    problems: list[str] = []
    hosts: set[str] = set()

    def note_error(error: WebError) -> None:
        problems.append(f"error: {error.error}")

    def note_line(line: ConsoleMessage) -> None:
        problems.extend([line.text] if "Content Security Policy" in line.text else [])

    def note_host(request: Request) -> None:
        hosts.update([request.url.split("/")[2]] if "://" in request.url else [])

    profile.on("weberror", note_error)
    profile.on("console", note_line)
    profile.on("request", note_host)
    yield profile
    for page in profile.pages:
        page.close()
    profile.clear_cookies()
    profile.remove_listener("weberror", note_error)
    profile.remove_listener("console", note_line)
    profile.remove_listener("request", note_host)
    assert problems == []
    assert all(host.startswith("127.0.0.1:") for host in hosts), hosts


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page in :func:`context`."""
    return context.new_page()

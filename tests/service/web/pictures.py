"""Takes the pictures of docs/web.md: ``python -m tests.service.web.pictures``. Needs Chromium; takes about a minute."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from models.factory import factory_model_bytes
from models.registry import Registry
from models.synthetic import synthesise
from tests.helpers.places import ROOT
from tests.helpers.recordings import NOW_S, write_recording
from tests.service.web.conftest import CHROMIUM
from tests.service.web.stage import Stage

FOLDER: Final = ROOT / "docs" / "web"
_STREAMED_MS: Final = 15_000
_COLOURS: Final = 48


@dataclass(frozen=True, slots=True)
class Look:
    """A picture: its name, the width of the window in pixels, the colours, and when it is taken."""

    name: str
    width: int
    colours: Literal["light", "dark"]
    wait_ms: int


def take_pictures() -> None:
    """Write the pictures to ``docs/web``."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        stage = Stage(Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            stage.start_blaster()
            stage.start_daemon()
            stage.start_page()
            registry = Registry(stage.data / "registry")
            for name in ("logreg-summary", "mlp-rich"):
                registry.promote(registry.add(name, factory_model_bytes(), {}).id, why="a picture")
            path = write_recording(stage.data / "recordings", "left", NOW_S, synthesise(minutes=3, seed=1))
            _take(browser, f"{stage.address}/device/b1", Look("device", 1000, "light", _STREAMED_MS))
            _take(browser, f"{stage.address}/device/b1", Look("device-narrow", 390, "dark", 2_000))
            _take(browser, f"{stage.address}/recordings", Look("recordings", 1000, "light", 1_000))
            _take(browser, f"{stage.address}/recording/left/{path.stem}", Look("recording", 1000, "light", 2_000))
            _take(browser, f"{stage.address}/models", Look("models", 1000, "dark", 1_000))
        finally:
            browser.close()
            stage.close()


def _take(browser: Browser, url: str, look: Look) -> None:
    context = browser.new_context(viewport={"width": look.width, "height": 600}, color_scheme=look.colours)
    page = context.new_page()
    page.goto(url)
    page.wait_for_timeout(look.wait_ms)
    if look.name == "recording":
        page.get_by_role("button", name="3: ").first.click()
        page.wait_for_timeout(500)
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    context.close()
    picture.convert("RGB").quantize(_COLOURS).save(FOLDER / f"{look.name}.png", optimize=True)


if __name__ == "__main__":
    take_pictures()

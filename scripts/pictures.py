"""Makes the pictures of README.md and the first pages: ``python -m scripts.pictures``.

Needs Chromium; takes about a minute. The programs themselves are run: ``stinger demo`` shows its page to Chromium,
``stinger evaluate`` draws.
"""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

import click
from PIL import Image
from playwright.sync_api import FloatRect, ViewportSize, sync_playwright

from replay.evaluation.file_names import PICTURE_FILE
from stinger.packages import python_module

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / "docs" / "pictures"
COLOURS: Final = 48
"""Of a picture: enough for lines and text, and small."""
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_VIEWPORT: Final = ViewportSize(width=1000, height=800)
_FILLED_MS: Final = 10_500
"""How long the page is open before its picture is taken: it shows the last ten seconds."""
_THREE_SHOTS: Final = """() => {
  const times = [...document.querySelectorAll(".events li")].map((line) => line.textContent)
    .filter((text) => text.includes("shot in time")).map((text) => Date.parse(`1970-01-01T${text.slice(0, 12)}Z`));
  return times.length >= 3 && (Date.now() % 86400000) - Math.min(...times.slice(0, 3)) < 9000;
}"""
"""Whether the newest three shots of the page's events, which have times in UTC, are in what it shows."""
_PATIENCE_MS: Final = 300_000
_STOP_S: Final = 300.0
_MINUTES: Final = 15
_DPI: Final = 100


@click.command()
@click.option("--outdir", type=click.Path(path_type=Path), default=FOLDER, help="Folder for the pictures.")
def make_pictures(outdir: Path) -> None:
    """Make the pictures of README.md and the first pages."""
    browser = find_browser()
    outdir.mkdir(parents=True, exist_ok=True)
    for name, draw in (("page", partial(_page, browser)), ("evaluation", _evaluation)):
        path = outdir / f"{name}.png"
        write_small(draw(), path)
        click.echo(f"wrote {path}, {path.stat().st_size:,} bytes")


def find_browser() -> str:
    """Return the path of the installed Chromium. Raises :class:`click.ClickException` if there is none."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise click.ClickException(f"no browser is installed: looked for {', '.join(BROWSERS)}")


def write_small(png: bytes, path: Path) -> None:
    """Write the picture ``png`` to ``path`` with :data:`COLOURS` colours."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS).save(path, optimize=True)


def _page(browser: str) -> bytes:
    """Return a picture of the demo's page in the Chromium at the path ``browser``."""
    with subprocess.Popen(python_module("stinger", "demo"), stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            first_line = demo.stdout.readline()
            if not first_line:
                raise click.ClickException("stinger demo did not start")
            return _screenshot(first_line.split()[-1], browser)
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(_STOP_S)


def _screenshot(address: str, browser: str) -> bytes:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = launched.new_context(viewport=_VIEWPORT, color_scheme="light").new_page()
        page.goto(address, timeout=_PATIENCE_MS)
        page.locator(".events li", has_text="shot").first.wait_for(timeout=_PATIENCE_MS)
        page.wait_for_timeout(_FILLED_MS)
        page.wait_for_function(_THREE_SHOTS, timeout=_PATIENCE_MS)
        recording = page.get_by_role("heading", name="Recording").bounding_box()
        assert recording is not None
        above_it = FloatRect(x=0, y=0, width=_VIEWPORT["width"], height=recording["y"])
        return page.screenshot(full_page=True, clip=above_it)


def _evaluation() -> bytes:
    """Return the picture of an evaluation of a model trained on a synthetic session."""
    with tempfile.TemporaryDirectory() as folder:
        session = Path(folder) / "session.bin"
        for arguments in (
            ("synth", "--minutes", str(_MINUTES), "--seed", "1", "-o", str(session)),
            ("evaluate", "--train", "mlp:rich", str(session), "--outdir", folder, "--dpi", str(_DPI)),
        ):
            subprocess.run(python_module("stinger", *arguments), check=True, stdout=subprocess.DEVNULL)
        return (Path(folder) / PICTURE_FILE).read_bytes()


if __name__ == "__main__":
    make_pictures()

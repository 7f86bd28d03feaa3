"""Takes the pictures of docs/web.md: ``python -m tests.service.web.pictures``. Needs Chromium; takes about two minutes.

With names of pictures as arguments, only those are taken.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, sync_playwright

from models.factory import factory_model_bytes
from models.registry import Registry
from models.synthetic import synthesise
from scripts.pictures import write_small
from service.recording.marking import change_marks
from service.web.action_settings import ActionSettings
from service.web.actions import Kind
from service.web.personalisation import Personalisation
from service.web.trade_off import measure_arguments
from stinger.logs import write_log
from tests.helpers.cli import run_stinger
from tests.helpers.places import ROOT
from tests.helpers.recordings import NOW_S, write_recording
from tests.service.web.conftest import CHROMIUM
from tests.service.web.many_devices import published_devices
from tests.service.web.stage import Stage

FOLDER: Final = ROOT / "docs" / "web"
_STREAMED_MS: Final = 15_000
_FILLED_MS: Final = 5_000
_TRAINED_S: Final = 600.0
_DEVICES: Final = 8
"""On the picture of all devices."""
_SEED: Final = 295
"""Of the session that the blaster plays: one that the factory model has not learned from."""


@dataclass(frozen=True, slots=True)
class Look:
    """A picture: its name, the width of the window in pixels, the colours, and when it is taken."""

    name: str
    width: int
    colours: Literal["light", "dark"]
    wait_ms: int


def take_pictures(names: Sequence[str] = ()) -> None:
    """Write the pictures ``names`` to ``docs/web``; all if there are none."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        stage = Stage(Path(folder), seed=_SEED)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            stage.start_blaster()
            stage.start_daemon()
            stage.start_page()
            registry = Registry(stage.data / "registry")
            for name in ("logreg-summary", "mlp-rich"):
                registry.promote(registry.add(name, factory_model_bytes(), {}).id, why="a picture")
            path = write_recording(stage.data / "recordings", "left", NOW_S, synthesise(minutes=3, seed=202))
            change_marks(path, 0, lambda marks: marks.leave_out(40_000, 62_000).mark_not_shot(7_850))
            other, mine = _other_model(stage, registry), registry.versions()[-1].id
            looks = {
                "/": (Look("live", 1000, "light", _FILLED_MS),),
                "/device/b1": (
                    Look("device", 1000, "light", _STREAMED_MS),
                    Look("device-narrow", 390, "dark", 2_000),
                ),
                "/recordings": (Look("recordings", 1000, "light", 1_000),),
                f"/recording/left/{path.stem}?compare={other}": (Look("recording", 1000, "light", _STREAMED_MS),),
                f"/model/{mine}": (Look("model", 1000, "light", 2_000),),
                "/models": (Look("models", 1000, "dark", 1_000),),
                "/bench": (Look("bench", 1000, "light", _FILLED_MS),),
                "/health": (Look("health", 1000, "light", _FILLED_MS),),
                "/train": (Look("train", 1000, "light", _FILLED_MS),),
                "/personalise": (Look("personalise-narrow", 390, "dark", _FILLED_MS),),
            }
            wanted = [(page, look) for page, few in looks.items() for look in few if not names or look.name in names]
            if {"train", "personalise-narrow"} & {look.name for _, look in wanted}:
                _train(stage)
            if any(look.name == "model" for _, look in wanted):
                run_stinger(*measure_arguments(stage.data, mine), timeout_s=_TRAINED_S)
            for page, look in wanted:
                with published_devices(stage, _DEVICES) if look.name == "live" else nullcontext():
                    _take(browser, f"{stage.address}{page}", look)
        finally:
            browser.close()
            stage.close()


def _other_model(stage: Stage, registry: Registry) -> str:
    """Train another model and add it; return its id."""
    log, model = stage.folder / "other.bin", stage.folder / "other.onnx"
    write_log(log, synthesise(minutes=6, seed=400))
    run_stinger("train", log, "--labels", "stream", "--features", "rich", "--out", model, timeout_s=_TRAINED_S)
    return registry.add("logreg-rich", model.read_bytes(), {}).id


def _train(stage: Stage) -> None:
    """Train on two recordings, and for one blaster, as the pages do."""
    for number in (1, 2):
        played = synthesise(minutes=6, seed=200 + number)
        write_recording(stage.data / "recordings", "right", NOW_S + 1000 * number, played)
    run_stinger("retrain", "--data-dir", stage.data, "--candidate", "mlp:rich", "--min-shots", 50, timeout_s=_TRAINED_S)
    settings = ActionSettings(stage.data, tuple)
    personal = Personalisation(settings)
    personal.keep_upload("ml_log.bin", synthesise(minutes=6, seed=300).tobytes())
    personal.train()
    action = settings.actions.newest(Kind.PERSONAL_TRAINING)
    assert action is not None
    assert action.wait(_TRAINED_S)


def _take(browser: Browser, url: str, look: Look) -> None:
    context = browser.new_context(viewport={"width": look.width, "height": 600}, color_scheme=look.colours)
    page = context.new_page()
    page.goto(url)
    page.wait_for_timeout(look.wait_ms)
    write_small(page.screenshot(full_page=True), FOLDER / f"{look.name}.png")
    context.close()


if __name__ == "__main__":
    take_pictures(sys.argv[1:])

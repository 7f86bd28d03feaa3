"""How the pages look: at three widths, in light and dark, by keyboard, and to an accessibility checker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from models.factory import factory_model, factory_model_bytes
from models.registry import Registry
from replay.evaluation.file_names import JSON_FILE
from service.recording.marking import change_marks
from service.web.trade_off import TRADE_OFF_FOLDER
from tests.helpers.recordings import NOW_S, write_recording
from tests.helpers.synthetic import synthetic_samples
from tests.service.web.stage import PATIENCE_MS, Stage
from tests.service.web.trade_offs import trade_off_result

expect.set_options(PATIENCE_MS)


@pytest.fixture(scope="module")
def paths(stage: Stage) -> dict[str, str]:
    """The path of each page, with a selector of what is there once it has been filled."""
    registry = Registry(stage.data / "registry")
    version = registry.add("a-name-of-a-model-that-is-rather-long", factory_model_bytes(), {})
    registry.promote(version.id, why="test")
    path = write_recording(
        stage.data / "recordings", "a-device-with-a-name-of-fifty-letters-and-no-space", NOW_S, SAMPLES
    )
    change_marks(path, 0, lambda marks: marks.leave_out(10_000, 20_000))
    measured = stage.data / TRADE_OFF_FOLDER / version.id
    measured.mkdir(parents=True)
    (measured / JSON_FILE).write_text(json.dumps(trade_off_result([(0.1, 1.0, 10.0), (0.5, 0.8, 2.0)], 0.5)))
    return {
        "/": ".device",
        "/device/b1": ".live-chart[data-scores]",
        "/recordings": "table",
        f"/recording/{path.parent.name}/{path.stem}?compare=factory": ".live-chart[data-compared]",
        "/models": "table",
        f"/model/{version.id}": ".trade-off",
        "/train": ".needs",
        "/personalise": "[data-fact=quality] .hint",
        "/bench": ".choice",
        "/health": "[data-fact=alarms] p",
    }


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A page without a daemon, recordings and models."""
    stage = Stage(tmp_path_factory.mktemp("empty"))
    try:
        stage.start_page()
        yield stage
    finally:
        stage.close()


SAMPLES = synthetic_samples(6_000, 6)
EMPTY = {"/": ".hint", "/recordings": ".hint", "/models": ".hint", "/model/factory": ".hint"}


def test_empty_pages_say_what_to_do_next_and_are_accessible(empty: Stage, browser: Browser) -> None:
    page = browser.new_page()
    found = []
    for path, hint in EMPTY.items():
        page.goto(f"{empty.address}{path}")
        expect(page.locator(hint).first).to_be_visible()
        found += [(path, one["id"]) for one in Axe().run(page).response["violations"]]
    page.close()
    assert found == []


@pytest.fixture(scope="module")
def opened(stage: Stage, browser: Browser, paths: dict[str, str]) -> Iterator[dict[str, Page]]:
    """Each page, opened and filled, by its path: loading them takes longer than looking at them."""
    context = browser.new_context()
    pages = {path: context.new_page() for path in paths}
    for path, page in pages.items():
        page.goto(f"{stage.address}{path}", timeout=PATIENCE_MS)
    for path, page in pages.items():
        page.locator(paths[path]).first.wait_for(timeout=PATIENCE_MS)
    yield pages
    context.close()


# Only the contrast depends on the colours.
@pytest.mark.parametrize(("colours", "options"), [("light", {}), ("dark", {"runOnly": ["color-contrast"]})])
def test_the_accessibility_checker_finds_nothing(
    opened: dict[str, Page], colours: Literal["light", "dark"], options: dict[str, list[str]]
) -> None:
    found = []
    for path, page in opened.items():
        page.emulate_media(color_scheme=colours)
        violations = Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
        found += [(path, one["id"], [node["html"][:200] for node in one["nodes"]]) for one in violations]
    assert found == []


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_no_page_is_wider_than_the_window(opened: dict[str, Page], width: int) -> None:
    widths = {}
    for path, page in opened.items():
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(f"window.innerWidth === {width}", timeout=PATIENCE_MS)
        widths[path] = page.evaluate("document.documentElement.scrollWidth")
    assert widths == dict.fromkeys(opened, width)


def test_the_threshold_and_the_pause_can_be_used_by_keyboard(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.address}/device/b1")
    threshold = page.locator("[data-fact=threshold]")
    on = factory_model().meta.decision.on
    expect(threshold).to_have_text(f"{on:.2f}")
    for _ in range(30):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.dataset.control || document.activeElement.textContent.trim()")
        if focused == "Pause":
            page.keyboard.press("Enter")
            expect(page.get_by_role("button", name="Continue")).to_be_focused()
        if focused == "threshold":
            break
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(threshold).to_have_text(f"{on + 0.01:.2f}")
    stage.retained("stinger/b1/model", lambda content: content["threshold"] == pytest.approx(on + 0.01))


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/train", ["Train now"]),
        ("/personalise", ["Search again", "Fetch the log", "Train on this log", "Upload to the blaster"]),
        ("/bench", ["Run the chosen scenarios", "Choose all"]),
    ],
)
def test_everything_that_acts_is_reached_by_keyboard(
    stage: Stage, page: Page, paths: dict[str, str], path: str, wanted: list[str]
) -> None:
    page.goto(f"{stage.address}{path}")
    page.locator(paths[path]).first.wait_for()
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim()"))
        if set(wanted) <= set(reached):
            break
    assert [name for name in reached if name in wanted][: len(wanted)] == wanted

"""The page of a model: how it was made, its trade-off measured in a child process, and a threshold stored from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from models.factory import factory_model, factory_model_bytes
from models.model_file import load_model
from models.registry import Registry
from replay.evaluation.file_names import JSON_FILE
from service.web.model_facts import model_facts
from service.web.trade_off import TRADE_OFF_FOLDER, measure_arguments, read_trade_off, store_arguments
from stinger.errors import InputError
from tests.helpers.cli import invoke
from tests.helpers.patience import PATIENCE_S
from tests.helpers.recordings import NOW_S, write_recording
from tests.helpers.synthetic import synthetic_samples
from tests.service.web.stage import PATIENCE_MS, Stage
from tests.service.web.trade_offs import trade_off_result

expect.set_options(PATIENCE_MS)

SAMPLES = synthetic_samples(6_000, 10)


@pytest.fixture(scope="module")
def page_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A page without a daemon, with a recording and a model."""
    stage = Stage(tmp_path_factory.mktemp("trade-off"))
    try:
        write_recording(stage.data / "recordings", "b1", NOW_S, SAMPLES)
        stage.start_page()
        yield stage
    finally:
        stage.close()


@pytest.mark.slow
def test_a_threshold_is_chosen_by_keyboard_on_the_measured_curve_and_stored(page_only: Stage, page: Page) -> None:
    registry = Registry(page_only.data / "registry")
    version = registry.add("mine", factory_model_bytes(), {})
    page.goto(f"{page_only.address}/models")
    page.get_by_role("link", name=version.id).click()
    expect(page.get_by_text("Trained on 12 recordings")).to_be_visible()
    page.get_by_role("button", name="Measure it").click()
    figures = page.locator("[data-fact='operating point']")
    own = factory_model().meta.decision.on
    expect(figures).to_contain_text(f"Threshold {own:.2f}: ")
    expect(figures).to_contain_text("% of the shots in time")
    page.get_by_label("Threshold").focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    expect(figures).to_contain_text(f"Threshold {own + 0.1:.2f}: ")
    page.get_by_role("button", name="Store the model").click()
    expect(page.get_by_text("Stored as")).to_be_visible()
    (stored,) = [one for one in registry.versions() if "calibrated" in one.id]
    decision = load_model(stored.model_path).meta.decision
    assert (decision.on, decision.off) == pytest.approx((own + 0.1, own / 2 + 0.05))
    page.goto(f"{page_only.address}/models")
    expect(page.get_by_role("button", name=f"Promote {stored.id}")).to_be_visible()


def test_dragging_over_the_curve_moves_the_operating_point(page_only: Stage, page: Page) -> None:
    version = Registry(page_only.data / "registry").add("dragged", factory_model_bytes(), {})
    folder = page_only.data / TRADE_OFF_FOLDER / version.id
    folder.mkdir(parents=True)
    (folder / JSON_FILE).write_text(
        json.dumps(trade_off_result([(0.1, 1.0, 10.0), (0.5, 0.8, 2.0), (0.9, 0.2, 0.0)], 0.5))
    )
    page.goto(f"{page_only.address}/model/{version.id}")
    figures = page.locator("[data-fact='operating point']")
    expect(figures).to_contain_text("Threshold 0.50: 80 % of the shots in time, 2.00 false")
    box = page.locator(".trade-off svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + 20, steps=4)
    page.mouse.up()
    expect(figures).to_contain_text("Threshold 0.10: 100 %")


def test_a_model_that_does_not_exist_is_said(page_only: Stage, page: Page) -> None:
    for name in ("nothing", "..%5Cregistry", "%3Cb%3E"):
        page.goto(f"{page_only.address}/model/{name}")
        expect(page.get_by_role("heading", level=1)).to_have_text("No such model")
    assert httpx.get(f"{page_only.address}/model/nothing", timeout=PATIENCE_S).status_code == 200


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"rows": [7]}', '{"rows": []}', '{"rows": [{"parameters": 1}]}']
)
def test_a_result_that_cannot_be_read_counts_as_not_measured(tmp_path: Path, content: str) -> None:
    (tmp_path / TRADE_OFF_FOLDER / "v").mkdir(parents=True)
    (tmp_path / TRADE_OFF_FOLDER / "v" / JSON_FILE).write_text(content)
    assert read_trade_off(tmp_path, "v") is None


def test_damaged_recordings_and_those_at_another_rate_are_not_measured_on(tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    with pytest.raises(InputError, match="no recording to measure it on"):
        measure_arguments(tmp_path, "factory")
    good = write_recording(recordings, "b1", NOW_S, SAMPLES)
    slow = SAMPLES.copy()
    slow["timestamp_ms"] *= 2
    write_recording(recordings, "b1", NOW_S + 1, slow)
    write_recording(recordings, "b1", NOW_S + 2, SAMPLES).write_bytes(b"damaged" * 1000)
    for arguments in (measure_arguments(tmp_path, "factory"), store_arguments(tmp_path, "factory", 0.43)):
        assert [one for one in arguments if one.endswith(".bin")] == [str(good)]
    with pytest.raises(InputError):
        measure_arguments(tmp_path, "../../x")


def test_calibrate_takes_a_threshold_or_a_limit(tmp_path: Path) -> None:
    log = write_recording(tmp_path / "recordings", "b1", NOW_S, SAMPLES)
    (tmp_path / "model.onnx").write_bytes(factory_model_bytes())
    base = ("calibrate", "--model-file", tmp_path / "model.onnx", log)
    done = invoke(*base, "--threshold", 0.43, "--out", tmp_path / "new.onnx")
    assert done.exit_code == 0, done.output
    before, after = factory_model().meta.decision, load_model(tmp_path / "new.onnx").meta.decision
    assert (after.on, after.off, after.attack, after.release) == (0.43, 0.215, before.attack, before.release)
    for both_or_none in ((), ("--threshold", 0.43, "--max-false-per-minute", 3)):
        refused = invoke(*base, *both_or_none)
        assert refused.exit_code == 2
        assert "give either --max-false-per-minute or --threshold" in refused.stderr


def test_facts_of_a_model_name_its_threshold_and_training(tmp_path: Path) -> None:
    facts = model_facts(Registry(tmp_path / "registry"), "factory")
    lines = dict(facts.lines)
    assert lines["Threshold"].startswith("wheels on from 0.25, off below 0.12")
    assert lines["Training windows"] == "91,278"
    assert len(facts.sessions) == 12

"""Training in the page: what is missing, one button, two people at once, cancelling, the verdict, and a daemon that uses it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from models.registry import Registry
from service.config.config import Config
from service.ops.lock import retraining_lock
from service.retraining.report_names import JSON_FILE, REPORTS_FOLDER
from service.web.training_needs import training_needs
from service.web.training_result import newest_result
from tests.helpers.retraining import keep_recording, promote_blind
from tests.helpers.synthetic import synthetic_samples
from tests.service.web.stage import PATIENCE_MS, Stage

expect.set_options(PATIENCE_MS)

QUICK = """
[retrain]
candidates = ["logreg:summary"]
min_shots = 20
"""
SLOW = """
[retrain]
candidates = ["hgb:flatten", "hgb:rich", "mlp:kernels", "et:kernels", "rf:kernels"]
min_shots = 20
"""
"""A training that takes long, so that it cannot end before it is cancelled."""


@pytest.fixture(scope="module")
def page_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A page without a daemon."""
    stage = Stage(tmp_path_factory.mktemp("train"))
    config_file(stage).write_text(QUICK)
    try:
        stage.start_page("--config", config_file(stage))
        yield stage
    finally:
        stage.close()


@pytest.fixture
def stage(page_only: Stage) -> Stage:
    """The page with a champion that is easy to beat, and two recordings to train on, which takes a second."""
    for name in ("recordings", "registry", "reports"):
        shutil.rmtree(page_only.data / name, ignore_errors=True)
    config_file(page_only).write_text(QUICK)
    prepare(page_only)
    return page_only


def prepare(stage: Stage) -> None:
    promote_blind(stage.data)
    for seed in (1, 2):
        keep_recording(stage.data, synthetic_samples(6000, 15, seed=seed), hours=seed)


def config_file(stage: Stage) -> Path:
    return stage.folder / "stinger.toml"


def champion_of(stage: Stage) -> str:
    champion = Registry(stage.data / "registry").champion()
    assert champion is not None
    return champion.id


def assert_nothing_trains(stage: Stage) -> None:
    with retraining_lock(stage.data):
        pass


@pytest.mark.slow
def test_a_better_model_is_trained_with_one_button_and_the_daemon_uses_it(stage: Stage, page: Page) -> None:
    old = champion_of(stage)
    stage.start_daemon("champion")
    page.goto(f"{stage.address}/train")
    expect(page.get_by_text("No training yet")).to_be_visible()
    expect(page.get_by_text("New shots: 30 of 20 shots: enough")).to_be_visible()
    page.get_by_role("button", name="Train now").click()
    expect(page.locator("[data-fact=outcome]")).to_contain_text("✓ Finished after", timeout=2 * PATIENCE_MS)
    expect(page.locator("[data-fact=verdict]")).to_contain_text("A better model was found")
    expect(page.get_by_role("cell", name=f"{old} (in use before)")).to_be_visible()
    picture = page.get_by_role("img", name="Differences between the models")
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 400
    expect(page.get_by_text("New shots: 0 of 20 shots. Shoot more")).to_be_visible()
    assert champion_of(stage) != old
    page.goto(f"{stage.address}/models")
    expect(page.locator("[data-fact='in use']")).to_have_text(f"In use by the daemon: {champion_of(stage)}")
    page.get_by_role("button", name="Roll back").click()
    expect(page.locator("[data-fact='in use']")).to_have_text(f"In use by the daemon: {old}")
    stage.kill("run")


def test_two_people_see_the_same_training_and_either_may_cancel_it(stage: Stage, context: BrowserContext) -> None:
    config_file(stage).write_text(SLOW)
    first, second = context.new_page(), context.new_page()
    for page in (first, second):
        page.goto(f"{stage.address}/train")
    first.get_by_role("button", name="Train now").click()
    expect(second.locator("[data-fact=action]")).to_contain_text("running for")
    second.get_by_role("button", name="Train now").click()
    expect(second.get_by_text("the training on all recordings is running: wait")).to_be_visible()
    expect(second.get_by_role("progressbar")).to_be_visible()
    first.reload()
    expect(first.locator("[data-fact=action]")).to_contain_text("running for")
    second.get_by_role("button", name="Cancel").click()
    expect(first.locator("[data-fact=outcome]")).to_contain_text("Cancelled after")
    assert_nothing_trains(stage)
    assert newest_result(stage.data) is None


def test_a_training_of_another_process_is_not_disturbed(stage: Stage, page: Page) -> None:
    page.goto(f"{stage.address}/train")
    with retraining_lock(stage.data):
        page.get_by_role("button", name="Train now").click()
        expect(page.locator("[data-fact=outcome]")).to_contain_text("is being retrained on by another process")


def test_a_stopped_page_ends_its_training(page: Page, tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    config_file(stage).write_text(SLOW)
    prepare(stage)
    stage.start_page("--config", config_file(stage))
    page.goto(f"{stage.address}/train")
    page.get_by_role("button", name="Train now").click()
    expect(page.locator("[data-fact=action]")).to_contain_text("Training and testing models")
    code, log = stage.stop("web")
    assert (code, "Traceback" in log) == (0, False)
    assert_nothing_trains(stage)


def test_needs_count_only_shots_that_the_champion_has_not_learned_from(tmp_path: Path) -> None:
    config = replace(Config(), data_dir=tmp_path)
    assert [need.have for need in training_needs(config).needs] == [0, 0, 0]
    promote_blind(tmp_path)
    keep_recording(tmp_path, synthetic_samples(6000, 15))
    shots, minutes, movement = training_needs(config).needs
    assert (shots.have, shots.met, minutes.met, movement.met) == (15, False, False, True)
    assert minutes.have == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b'{"contest": 1, "outcome": "kept"}', b"\xff"])
def test_a_damaged_report_is_no_result(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / REPORTS_FOLDER / "20260101T000000.000Z"
    folder.mkdir(parents=True)
    (folder / JSON_FILE).write_bytes(content)
    assert newest_result(tmp_path) is None


def test_a_report_without_a_comparison_has_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / REPORTS_FOLDER / "20260101T000000.000Z"
    folder.mkdir(parents=True)
    values = {"contest": None, "outcome": "not yet", "why": ["There are 3 shots."], "time": "2026-01-01T00:00:00.000"}
    (folder / JSON_FILE).write_text(json.dumps(values))
    result = newest_result(tmp_path)
    assert result is not None
    assert (result.why, result.contenders, result.picture_url) == (("There are 3 shots.",), (), "")


def test_a_report_of_a_comparison_has_the_figures_of_each_model(tmp_path: Path) -> None:
    folder = tmp_path / REPORTS_FOLDER / "20260101T000000.000Z"
    folder.mkdir(parents=True)
    held_out = {"accepted_shots": 10, "minutes": 10.0, "in_time": 0.9, "false_per_minute": 0.3, "duty": 0.25}
    contest = {
        "champion": {"name": "old", "held_out": held_out},
        "challengers": [{"name": "new", "held_out": {**held_out, "in_time": None, "duty": None}}],
    }
    values = {"contest": contest, "outcome": "kept", "why": [], "time": "2026-01-01T00:00:00.000"}
    (folder / JSON_FILE).write_text(json.dumps(values))
    result = newest_result(tmp_path)
    assert result is not None
    old, new = result.contenders
    assert (old.name, old.wheels_on) == ("old (in use before)", "25\u00a0%")
    assert old.in_time.startswith("9 of 10")
    assert (new.name, new.in_time, new.wheels_on) == ("new", "-", "-")

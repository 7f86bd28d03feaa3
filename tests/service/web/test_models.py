"""The models in the page: what the registry holds, promote and roll back, beside a real daemon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from models.factory import factory_model_bytes
from models.registry import Registry
from service.web.stored_models import false_spin_ups_text, in_time_text, read_registry
from tests.service.web.stage import PATIENCE_MS, Stage

expect.set_options(PATIENCE_MS)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    try:
        stage.start_daemon("champion")
        stage.start_page()
        yield stage
    finally:
        stage.close()


def test_a_promoted_model_serves_and_a_rolled_back_one_does_not(stage: Stage, page: Page) -> None:
    registry = Registry(stage.data / "registry")
    page.goto(f"{stage.address}/models")
    expect(page.get_by_text("No model of your own yet")).to_be_visible()
    in_use = page.locator("[data-fact='in use']")
    expect(in_use).to_have_text("In use by the daemon: factory")
    first, second = (registry.add(name, factory_model_bytes(), {}).id for name in ("one", "two"))
    for version in (first, second):  # a click is lost while the page replaces what it shows by more
        expect(page.get_by_role("button", name=f"Promote {version}")).to_be_visible()
    for version in (first, second):
        page.get_by_role("button", name=f"Promote {version}").click()
        expect(page.get_by_role("cell", name=f"★ {version}, champion")).to_be_visible()
        expect(in_use).to_have_text(f"In use by the daemon: {version}")
    other = page.context.new_page()
    other.goto(f"{stage.address}/models")
    page.get_by_role("button", name="Roll back").click()
    expect(other.get_by_role("cell", name=f"★ {first}, champion")).to_be_visible()
    expect(page.get_by_role("cell", name=f"★ {first}, champion")).to_be_visible()
    expect(in_use).to_have_text(f"In use by the daemon: {first}")
    expect(page.get_by_role("listitem").first).to_contain_text(f"rolled back to {first} (by hand, on the page)")
    champion = registry.champion()
    assert champion is not None
    assert champion.id == first


def test_a_damaged_model_is_shown_and_cannot_be_promoted(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    version = registry.add("one", factory_model_bytes(), {})
    version.model_path.write_bytes(b"damaged")
    [row] = read_registry(registry).rows
    assert "damaged" in row.problem


def test_a_registry_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    view = read_registry(Registry(tmp_path / "registry"))
    assert (view.rows, view.history, view.can_roll_back, view.problem) == ((), (), False, "")


@pytest.mark.parametrize("value", [None, "x", True, float("nan"), -1, 1e300, [], {}])
def test_metrics_that_are_no_numbers_count_as_missing(value: object) -> None:
    assert in_time_text({"accepted_shots": value, "in_time": 0.5}) == ""
    assert in_time_text({"accepted_shots": 10, "in_time": value}) == ""
    assert false_spin_ups_text({"minutes": value, "false_per_minute": 1.0}) == ""

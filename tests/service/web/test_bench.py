"""The bench in the page: a scenario is chosen, run and watched, and its report is opened; past ones are listed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from service.web.action_settings import ActionSettings
from service.web.bench_runs import list_scenarios, past_reports, start_run
from stinger.errors import InputError
from tests.service.web.stage import PATIENCE_MS, Stage

expect.set_options(PATIENCE_MS)

RUN = "20260101T120000.000Z"


@pytest.fixture
def page_only(tmp_path: Path) -> Iterator[Stage]:
    """A page without a daemon."""
    stage = Stage(tmp_path)
    try:
        stage.start_page()
        yield stage
    finally:
        stage.close()


@pytest.mark.slow
def test_a_scenario_is_run_watched_and_its_report_opened(page_only: Stage, page: Page) -> None:
    page.goto(f"{page_only.address}/bench")
    expect(page.get_by_text("No report yet")).to_be_visible()
    expect(page.get_by_role("checkbox", name="steady")).to_be_checked()
    page.get_by_role("button", name="Run the chosen scenarios").click()
    expect(page.locator("[data-fact=action]")).to_contain_text("Running scenarios: 0 of 1")
    expect(page.locator("[data-fact=outcome]")).to_contain_text("✓ Finished", timeout=2 * PATIENCE_MS)
    expect(page.locator("[data-action=bench] pre")).to_contain_text("steady: ")
    report = page.get_by_role("listitem").filter(has_text="1 scenario: 1")
    with page.context.expect_page() as opened:
        report.get_by_role("link").click()
    expect(opened.value.get_by_text("Bench report, stinger-ml")).to_be_visible()


def test_a_cancelled_run_leaves_no_report(page_only: Stage, page: Page) -> None:
    page.goto(f"{page_only.address}/bench")
    page.get_by_role("button", name="Choose all").click()
    page.get_by_role("button", name="Run the chosen scenarios").click()
    expect(page.locator("[data-fact=action]")).to_contain_text("Running scenarios")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-fact=outcome]")).to_contain_text("Cancelled")
    assert past_reports(page_only.data) == []


def test_the_scenarios_are_those_of_the_default_set() -> None:
    names = {scenario.name for scenario in list_scenarios()}
    assert {"steady", "unplug"} <= names
    assert "soak" not in names


def test_a_run_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one"):
        start_run(ActionSettings(tmp_path, tuple), [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("record", [b"", b"[]", b'{"scenarios": 3}', b"\xff"])
def test_a_report_whose_record_is_damaged_is_listed(tmp_path: Path, record: bytes) -> None:
    folder = tmp_path / "bench" / RUN
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("report")
    (folder / "record.json").write_bytes(record)
    [report] = past_reports(tmp_path)
    assert (report.time, report.summary) == ("2026-01-01 12:00", "its record cannot be read")


def test_a_report_names_the_verdicts_of_its_scenarios(tmp_path: Path) -> None:
    folder = tmp_path / "bench" / RUN
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("report")
    verdicts = [{"verdict": verdict} for verdict in ("pass", "pass", "fail")]
    (folder / "record.json").write_text(json.dumps({"scenarios": verdicts}))
    (tmp_path / "bench" / "unfinished").mkdir()
    [report] = past_reports(tmp_path)
    assert report.summary == "3 scenarios: 2 pass, 1 fail"
    assert report.url == f"/files/bench/{RUN}/report.html"

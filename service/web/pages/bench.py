"""The page of the bench: choose scenarios, run them against an emulated blaster, watch, and open reports."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from nicegui import ui

from service.web.action_settings import ActionSettings
from service.web.actions import Kind
from service.web.bench_runs import BenchReport, Scenario, list_scenarios, past_reports, start_run
from service.web.daemon_client import DaemonClient
from service.web.long_action import LongAction
from service.web.pages.action_view import ActionView
from service.web.pages.layout import Text, is_shown, page_frame
from stinger.errors import StingerError

NO_REPORT: Final = "No report yet. Choose scenarios above and run them: each takes about ten seconds."
_INTRODUCTION: Final = (
    "Runs a daemon of its own against an emulated blaster with faults (unplugged cables, damaged frames, a full disk, a broker "
    "that is away), and measures whether it keeps its limits. Your own daemon and data are not touched, but they share the "
    "processor: its figures are best while nothing else runs."
)
_FIRST_CHOICE: Final = "steady"
_REPORTS_LISTED: Final = 50
_CHOSEN: Final = """(event) => {
  event.preventDefault();
  emit([...event.target.querySelectorAll("input[name=scenario]:checked")].map((box) => box.value));
}"""
_TICK_ALL: Final = """() => {
  for (const box of document.querySelectorAll("input[name=scenario]")) box.checked = true;
}"""


def add_bench_page(client: DaemonClient, settings: ActionSettings) -> None:
    """Add the page at ``/bench``."""

    @ui.page("/bench")
    async def bench() -> None:
        with page_frame(client, "Bench", "Bench"):
            Text(_INTRODUCTION, "p").classes("intro")
            Text("Scenarios", "h2")
            choice = ui.element("div")
            with choice:
                Text("Reading …", "p")
            reports = ui.element("div")

            async def show_end(action: LongAction) -> None:
                del action
                await _show_reports(reports, settings)

            ActionView(settings.actions, Kind.BENCH, show_end)
            reports.move()
        if await is_shown():
            await _show_reports(reports, settings)
            await _show_choice(choice, settings)


async def _show_choice(content: ui.element, settings: ActionSettings) -> None:
    try:
        scenarios = await asyncio.to_thread(list_scenarios)
    except StingerError as error:
        content.clear()
        with content:
            Text(f"⚠ The bench cannot run: {error}", "p").classes("bad")
        return
    content.clear()
    known = {scenario.name for scenario in scenarios}

    async def run(event: Any) -> None:
        names = [name for name in event.args if name in known]
        try:
            await asyncio.to_thread(start_run, settings, names)
        except (StingerError, OSError) as error:
            ui.notify(f"Not started: {error}", type="negative", timeout=8000)

    with content, ui.element("form").on("submit", run, js_handler=_CHOSEN):
        with ui.element("fieldset").classes("choice"):
            Text("What to run", "legend")
            for scenario in scenarios:
                _build_box(scenario)
        with ui.element("div").classes("controls"):
            Text("Run the chosen scenarios", "button").classes("plain").props("type=submit")
            everything = Text("Choose all", "button").classes("plain").props("type=button")
            everything.on("click", js_handler=_TICK_ALL)


def _build_box(scenario: Scenario) -> None:
    with ui.element("label"):
        box = ui.element("input").props("type=checkbox name=scenario")
        box.props["value"] = scenario.name
        if scenario.name == _FIRST_CHOICE:
            box.props["checked"] = True
        Text(f"{scenario.name}: {scenario.title} ({scenario.seconds:g} s)")


async def _show_reports(content: ui.element, settings: ActionSettings) -> None:
    reports = await asyncio.to_thread(past_reports, settings.data_dir)
    content.clear()
    with content:
        Text("Reports", "h2")
        if not reports:
            Text(NO_REPORT, "p").classes("hint")
            return
        with ui.element("ul"):
            for report in reports[:_REPORTS_LISTED]:
                _build_report(report)


def _build_report(report: BenchReport) -> None:
    with ui.element("li"):
        ui.link(f"{report.time} UTC", report.url, new_tab=True)
        Text(f": {report.summary}")

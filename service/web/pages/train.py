"""The page that trains models on all recordings: what is missing, one button, progress, and the verdict."""

from __future__ import annotations

import asyncio
from typing import Final

from nicegui import ui

from service.web.action_settings import UNCHANGED, ActionSettings
from service.web.actions import Kind
from service.web.daemon_client import DaemonClient
from service.web.long_action import LongAction
from service.web.pages.action_view import ActionView, start_action
from service.web.pages.layout import Text, is_shown, page_frame, plain_button
from service.web.training_needs import Need, training_needs
from service.web.training_result import TrainingResult, newest_result
from stinger.errors import StingerError

NO_TRAINING: Final = "No training yet. It compares new models with the present one, and reports here which is better."
_INTRODUCTION: Final = (
    "Trains models on everything that the daemon has recorded, and compares them with the one in use, on shots that none of "
    "them has learned from. Only a model that is clearly better replaces it; 'Models' has the button to go back."
)
_COLUMNS: Final = ("Model", "Shots in time (95\u00a0%)", "False spin-ups (95\u00a0%)", "Wheels on")
_WARNINGS_SHOWN: Final = 20


def add_train_page(client: DaemonClient, settings: ActionSettings) -> None:
    """Add the page at ``/train``."""

    @ui.page("/train")
    async def train() -> None:
        with page_frame(client, "Train", "Train"):
            Text(_INTRODUCTION, "p").classes("intro")
            Text("What there is to learn from", "h2")
            needs = ui.element("div").props('data-fact="needs"')
            with ui.element("div").classes("controls"):
                plain_button("Train now", lambda: start_action(settings.actions, Kind.TRAIN, settings.train_arguments))
            result = ui.element("div")

            async def show_end(action: LongAction) -> None:
                await _show_result(result, settings, action)
                await _show_needs(needs, settings)

            ActionView(settings.actions, Kind.TRAIN, show_end)
            result.move()  # below what is shown of the action
            with needs:
                Text("Reading …", "p")
        if not await is_shown():
            return
        await _show_result(result, settings, None)
        await _show_needs(needs, settings)


async def _show_needs(content: ui.element, settings: ActionSettings) -> None:
    try:
        found = await asyncio.to_thread(lambda: training_needs(settings.loaded_config()))
    except StingerError as error:
        content.clear()
        with content:
            Text(f"⚠ The recordings cannot be read: {error}", "p").classes("bad")
        return
    content.clear()
    with content:
        with ui.element("ul").classes("needs"):
            for need in found.needs:
                need_bar(need)
        if found.warnings:
            with ui.element("details"):
                Text(f"Notes about the recordings ({len(found.warnings)})", "summary")
                with ui.element("ul"):
                    for line in found.warnings[:_WARNINGS_SHOWN]:
                        Text(line, "li")


def need_bar(need: Need) -> None:
    """Build an entry of a list: what is needed, as a bar and in words."""
    with ui.element("li"):
        Text(f"{'✓' if need.met else '○'} {need.name}: {need.text}")
        bar = ui.element("meter").props("min=0")
        bar.props["max"] = 1
        bar.props["value"] = round(need.part, 3)
        bar.props["aria-label"] = need.name


async def _show_result(content: ui.element, settings: ActionSettings, action: LongAction | None) -> None:
    result = await asyncio.to_thread(newest_result, settings.data_dir)
    content.clear()
    with content:
        Text("The verdict of the newest training", "h2")
        if action is not None and action.state == "done":
            unchanged = [line for line in action.lines if line.startswith(UNCHANGED)]
            for line in unchanged:
                Text(line.removeprefix(UNCHANGED), "p").classes("hint")
        if result is None:
            Text(NO_TRAINING, "p").classes("hint")
        else:
            _build_result(result)


def _build_result(result: TrainingResult) -> None:
    Text(result.headline, "p").classes("verdict").props('data-fact="verdict"')
    for line in result.why:
        Text(line, "p")
    if result.contenders:
        frame = (
            ui.element("div").classes("scroll").props('tabindex=0 role=region aria-label="Table of compared models"')
        )
        with frame, ui.element("table"):
            with ui.element("thead"), ui.element("tr"):
                for name in _COLUMNS:
                    Text(name, "th").props("scope=col")
            with ui.element("tbody"):
                for row in result.contenders:
                    with ui.element("tr"):
                        for cell in (row.name, row.in_time, row.false_spin_ups, row.wheels_on):
                            Text(cell, "td")
    if result.picture_url:
        picture("Differences between the models, their trade-off, and each held-out session", result.picture_url)
    with ui.element("p"):
        Text(f"Of {result.time} UTC. ")
        ui.link("The whole report", result.report_url, new_tab=True)


def picture(text: str, url: str) -> None:
    """Build a picture with its description, as wide as the page at most."""
    image = ui.element("img").classes("report-picture")
    image.props["src"] = url
    image.props["alt"] = text

"""The page of one model: how it was made and measured, and its trade-off.

An operating point can be dragged along the trade-off, and stored.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from nicegui import ui
from nicegui.element import Element

from models.registry import Registry
from service.web.action_settings import ActionSettings
from service.web.actions import Kind
from service.web.daemon_client import DaemonClient
from service.web.long_action import LongAction
from service.web.model_facts import ModelFacts, model_facts
from service.web.pages.action_view import ActionView
from service.web.pages.layout import Text, is_shown, page_frame, plain_button
from service.web.trade_off import MOST_HOURS, TradeOff, measure_arguments, read_trade_off, store_arguments
from stinger.errors import StingerError
from stinger.paths import registry_dir
from stinger.wording import counted

NOT_MEASURED: Final = (
    "Not measured here yet. Measuring scores the recordings in this data folder, the newest "
    f"{MOST_HOURS} hours of them at most, and takes seconds to minutes."
)
_BUILT_WITHIN_S: Final = 60.0
"""Opening a model on a busy machine may take longer than the three seconds of other pages."""


def model_url(name: str) -> str:
    """Return the address of the page of a version, or of the factory model."""
    return f"/model/{quote(name, safe='')}"


def add_model_page(client: DaemonClient, settings: ActionSettings) -> None:
    """Add the page at ``/model/NAME``."""

    @ui.page("/model/{name}", response_timeout=_BUILT_WITHIN_S)
    async def model(name: str) -> None:
        version = unquote(name)
        try:
            facts = await asyncio.to_thread(model_facts, Registry(registry_dir(settings.data_dir)), version)
        except StingerError as error:
            with page_frame(client, "No such model", "Models"):
                Text(f"⚠ {error}", "p")
                ui.link("All models", "/models")
            return
        with page_frame(client, version, "Models"):
            _build_facts(facts)
            Text("Trade-off", "h2")
            view = _TradeOffView(settings, version)
        if await is_shown():
            await view.show()


def _build_facts(facts: ModelFacts) -> None:
    with ui.element("dl"):
        for name, value in facts.lines:
            Text(name, "dt")
            Text(value, "dd")
    if facts.sessions:
        with ui.element("details"):
            Text(f"Trained on {counted(len(facts.sessions), 'recording')}", "summary")
            with ui.element("ul"):
                for session in facts.sessions:
                    Text(session, "li")


class TradeOffChart(Element, component="trade_off_chart.js"):
    """The curve of ``trade_off``, with an operating point at ``threshold`` at first."""

    def __init__(self, trade_off: TradeOff, threshold: float) -> None:
        super().__init__()
        self._props["points"] = [asdict(point) for point in trade_off.points]
        distances = [abs(point.threshold - threshold) for point in trade_off.points]
        self._props["start"] = distances.index(min(distances))


class _TradeOffView:
    """The trade-off of the model ``version``, the buttons that measure it and store a threshold, and what they do."""

    def __init__(self, settings: ActionSettings, version: str) -> None:
        self._settings = settings
        self._version = version
        self._chosen = 0.0
        self._content = ui.element("div")
        self._stored = Text("", "p").props("aria-live=polite data-fact=stored")
        ActionView(settings.actions, Kind.MEASURE, self._show_measured, self._concerns)
        ActionView(settings.actions, Kind.STORE_THRESHOLD, self._show_stored, self._concerns)

    async def show(self) -> None:
        """Show what was measured last."""
        found = await asyncio.to_thread(read_trade_off, self._settings.data_dir, self._version)
        self._content.clear()
        with self._content:
            measure = partial(self._start, Kind.MEASURE, measure_arguments)
            if found is None:
                Text(NOT_MEASURED, "p").classes("hint")
                plain_button("Measure it", measure)
                return
            self._chosen = found.operating
            chart = TradeOffChart(found, found.operating)
            chart.on("choose", self._choose)
            Text(
                f"Measured at {found.measured} UTC on {counted(found.shots, 'shot')} in {found.minutes:.1f} minutes. "
                f"The model's own threshold is {found.operating:.2f}.",
                "p",
            )
            for note in found.notes:
                Text(f"Note: {note}", "p").classes("hint")
            with ui.element("div").classes("controls"):
                plain_button("Store the model with this threshold", self._store)
                plain_button("Measure again", measure)

    def _concerns(self, action: LongAction) -> bool:
        """Return whether ``action`` was of this model, and not of another one."""
        return any(self._version in Path(argument).parts for argument in action.arguments)

    def _choose(self, event: Any) -> None:
        self._chosen = float(event.args)

    async def _store(self) -> None:
        chosen = self._chosen
        await self._start(Kind.STORE_THRESHOLD, lambda data_dir, version: store_arguments(data_dir, version, chosen))

    async def _start(self, kind: Kind, arguments: Any) -> None:
        try:
            line = await asyncio.to_thread(arguments, self._settings.data_dir, self._version)
            self._settings.actions.start(kind, line)
        except (StingerError, OSError) as error:
            ui.notify(f"Not started: {error}", type="negative", timeout=8000)

    async def _show_measured(self, action: LongAction) -> None:
        if action.state == "done":
            await self.show()

    async def _show_stored(self, action: LongAction) -> None:
        added = [line for line in action.lines if line.startswith("added ")]
        if action.state == "done" and added:
            version = added[-1].removeprefix("added ").partition(",")[0]
            self._stored.set_text(f"Stored as {version}. 'Models' has the button that promotes it.")

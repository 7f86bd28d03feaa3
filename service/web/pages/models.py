"""The page of models: the champion, the others, how good each was measured to be; promote and roll back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

from nicegui import ui

from models.choice import FACTORY
from models.registry import Registry
from service.base.logs import get_logger
from service.web.action_settings import ActionSettings
from service.web.daemon_client import DaemonClient
from service.web.pages.layout import REFRESH_S, Text, is_shown, page_frame, plain_button, show_hint
from service.web.pages.model import model_url
from service.web.shared_storage import registry_elsewhere
from service.web.stored_models import ModelRow, RegistryView, promote, read_registry, roll_back
from stinger.errors import StingerError
from stinger.paths import registry_dir

NO_MODEL: Final = (
    "No model of your own yet: the daemon uses the factory model. Record some minutes with at least 30 shots, then train one "
    "on the page Train. 'stinger models add FILE' adds one from a file."
)
LOOK_AGAIN_S: Final = 1.0
"""How often the page looks whether a model was added, promoted or deleted, by whomever."""
_COLUMNS: Final = ("Model", "What it is", "Made, UTC", "Shots in time (95\u00a0%)", "False spin-ups (95\u00a0%)", "")
_LOG = get_logger(__name__)


def add_models_page(client: DaemonClient, settings: ActionSettings) -> None:
    """Add the page at ``/models``."""
    registry = Registry(registry_dir(settings.data_dir))

    @ui.page("/models")
    async def models() -> None:
        with page_frame(client, "Models", "Models"):
            show_hint(registry_elsewhere(settings))
            in_use = Text("", "p").props('data-fact="in use"')
            content = ui.element("div")
            with content:
                Text("Reading …", "p")

        def show_in_use() -> None:
            names = sorted({state.model for state in client.state.devices.values() if state.model})
            in_use.set_text(f"In use by the daemon: {', '.join(names) or '-'}")

        shown, state_shown = _Shown(content, registry), None

        async def look_again() -> None:
            nonlocal state_shown
            state = await asyncio.to_thread(_state_of, registry.folder)
            if state != state_shown:
                state_shown = state
                await shown.update()

        show_in_use()
        ui.timer(REFRESH_S, show_in_use)
        if await is_shown():
            await look_again()
            ui.timer(LOOK_AGAIN_S, look_again)


def _state_of(folder: Path) -> tuple[int, ...]:
    """Return a value that differs once something in the registry's ``folder`` was added, replaced or written to."""
    files = (folder, folder / "versions", folder / "journal.jsonl")
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in files)


class _Shown:
    """What ``content`` shows of ``registry``; it is built anew only when that has changed, as a click on what goes is lost."""

    def __init__(self, content: ui.element, registry: Registry) -> None:
        self._content = content
        self._registry = registry
        self._view: RegistryView | None = None

    async def update(self) -> None:
        """Read the registry, and show it if it has changed."""
        try:
            view = await asyncio.to_thread(read_registry, self._registry)
        except StingerError as error:
            self._view = None
            self._content.clear()
            with self._content:
                Text(str(error), "p").classes("bad")
            return
        if view != self._view:
            self._view = view
            self._content.clear()
            with self._content:
                _build(self.update, self._registry, view)


def _build(update: Callable[[], Awaitable[None]], registry: Registry, view: RegistryView) -> None:
    async def change(what: Callable[[], object], done: str) -> None:
        try:
            await asyncio.to_thread(what)
        except StingerError as error:
            ui.notify(f"Not done: {error}", type="negative", timeout=8000)
        else:
            _LOG.info("champion_changed", change=done)
            ui.notify(done, type="positive")
        await update()

    if view.problem:
        Text(f"⚠ {view.problem}", "p").classes("bad")
    if not view.rows:
        Text(NO_MODEL, "p").classes("hint")
        ui.link("The factory model", model_url(FACTORY))
        return
    frame = ui.element("div").classes("scroll").props('tabindex=0 role=region aria-label="Table of models"')
    with frame, ui.element("table"):
        with ui.element("thead"), ui.element("tr"):
            for name in _COLUMNS:
                Text(name, "th" if name else "td").props("scope=col" if name else "")
        with ui.element("tbody"):
            for row in view.rows:
                _build_row(row, change, registry)
    with ui.element("p"):
        ui.link("The factory model", model_url(FACTORY))
    if view.can_roll_back:
        back = partial(change, partial(roll_back, registry), "The champion before is the champion again")
        with ui.element("div").classes("controls"):
            plain_button("Roll back to the champion before", back)
    Text("History", "h2")
    with ui.element("ul").classes("events"):
        for line in view.history:
            Text(line, "li")


def _build_row(
    row: ModelRow, change: Callable[[Callable[[], object], str], Awaitable[None]], registry: Registry
) -> None:
    with ui.element("tr"):
        with ui.element("td"):
            ui.link(f"★ {row.id}, champion" if row.champion else row.id, model_url(row.id))
        if row.problem:
            Text(f"⚠ {row.problem}", "td").props("colspan=4").classes("bad")
        else:
            Text(row.kind, "td")
            Text(row.made, "td")
            Text(row.in_time or "not measured on recordings", "td")
            Text(row.false_spin_ups or "-", "td")
        with ui.element("td"):
            if not row.champion and not row.problem:
                promoted = partial(change, partial(promote, registry, row.id), f"{row.id} is the champion")
                plain_button("Promote", promoted).props["aria-label"] = f"Promote {row.id}"

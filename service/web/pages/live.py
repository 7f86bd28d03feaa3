"""The first page: all devices at a glance."""

from __future__ import annotations

import time
from typing import Final
from urllib.parse import quote

from nicegui import ui

from service.web.daemon_client import DaemonClient
from service.web.daemon_state import DeviceState
from service.web.pages.layout import REFRESH_S, Text, page_frame

NO_DEVICE: Final = (
    "No blaster yet. Plug one into this machine and start the daemon with 'stinger run --source serial://auto', "
    "or try 'stinger demo', which emulates one."
)
_LINKS: Final = {
    "streaming": "● streaming",
    "connecting": "… connecting",
    "silent": "⚠ silent",
    "lost": "✕ lost",
    "ended": "○ ended",
}


def add_live_page(client: DaemonClient) -> None:
    """Add the page at ``/``."""

    @ui.page("/")
    def live() -> None:
        with page_frame(client, "Live", "Live"):
            hint = Text(NO_DEVICE, "p").classes("hint")
            cards: dict[str, _Card] = {}
            grid = ui.element("ul").classes("devices")

        def refresh() -> None:
            devices = client.state.devices
            hint.set_visibility(not devices)
            for name, state in sorted(devices.items()):
                if name not in cards:
                    with grid:
                        cards[name] = _Card(state)
                cards[name].refresh()

        refresh()
        ui.timer(REFRESH_S, refresh)


class _Card:
    """What is shown of one device."""

    def __init__(self, state: DeviceState) -> None:
        self._state = state
        with ui.element("li").classes("device"):
            with ui.element("h2"):
                ui.link(state.name, f"/device/{quote(state.name, safe='')}")
            self._facts = Facts(("link", "wheels", "last shot", "in time", "rate"))

    def refresh(self) -> None:
        state = self._state
        self._facts.show("link", link_text(state))
        self._facts.show("wheels", wheels_text(state))
        self._facts.show("last shot", last_shot_text(state))
        self._facts.show("in time", in_time_text(state))
        self._facts.show("rate", quantity(state.telemetry.number("rate_hz"), "Hz"))


class Facts:
    """A list of named values."""

    def __init__(self, names: tuple[str, ...]) -> None:
        with ui.element("dl"):
            self._values: dict[str, Text] = {}
            for name in names:
                Text(name, "dt")
                self._values[name] = Text("-", "dd").props(f'data-fact="{name}"')

    def show(self, name: str, text: str) -> None:
        """Show ``text`` as the value of ``name``."""
        self._values[name].set_text(text)


def link_text(state: DeviceState) -> str:
    """Return the state of the link, with its reason if it has one."""
    link = _LINKS.get(state.link, state.link or "-")
    return f"{link}: {state.link_reason}" if state.link_reason else link


def wheels_text(state: DeviceState) -> str:
    """Return whether the wheels are on."""
    return "● on" if state.wheels_on else "○ off"


def last_shot_text(state: DeviceState) -> str:
    """Return when the last shot was, whether the wheels were on in time, and for how long they were on."""
    shot = state.last_shot
    if shot is None:
        return "none yet"
    ago = time.monotonic() - state.last_shot_s
    when = f"{ago:.0f} s ago" if ago < 100 else f"{ago / 60:.0f} min ago"  # noqa: PLR2004 - seconds up to 99
    if shot.lead_ms is None:
        return f"✕ wheels off, {when}"
    return f"{'✓ in time' if shot.kind == 'in time' else '✕ too late'}, wheels on for {shot.lead_ms:.0f} ms, {when}"


def in_time_text(state: DeviceState) -> str:
    """Return how many shots were in time, and the false spin-ups."""
    spins = f"{state.false_spin_ups} false spin-up{'' if state.false_spin_ups == 1 else 's'}"
    return f"{state.in_time} of {state.shots} shots, {spins}"


def quantity(value: float | None, unit: str, digits: int = 0) -> str:
    """Return a number with its unit, a dash without a number."""
    return "-" if value is None else f"{value:.{digits}f} {unit}"

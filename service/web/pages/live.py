"""The first page: all devices at a glance."""

from __future__ import annotations

from typing import Final

from nicegui import ui

from service.web.daemon_client import DaemonClient
from service.web.daemon_state import DaemonState
from service.web.device_words import alarm_text
from service.web.pages.layout import REFRESH_S, Text, page_frame
from service.web.pages.live_wall import LiveWall
from stinger.wording import counted

NO_DEVICE: Final = (
    "No blaster yet. Plug one into this machine and start the daemon with 'stinger run --source serial://auto', "
    "or try 'stinger demo', which emulates one."
)
_NAMED: Final = 5


def add_live_page(client: DaemonClient) -> None:
    """Add the page at ``/``."""

    @ui.page("/")
    def live() -> None:
        with page_frame(client, "Live", "Live"):
            hint = Text(NO_DEVICE, "p").classes("hint")
            summary = Text("", "p").props("data-fact=summary")
            LiveWall(client.state)

        def refresh() -> None:
            hint.set_visibility(not client.state.devices)
            summary.set_visibility(bool(client.state.devices))
            summary.set_text(summary_text(client.state))

        refresh()
        ui.timer(REFRESH_S, refresh)


def summary_text(state: DaemonState) -> str:
    """Return how many devices there are, how many stream and have their wheels on, and which need attention."""
    devices = sorted(state.devices.values(), key=lambda device: device.name)
    streaming = sum(device.link == "streaming" for device in devices)
    on = sum(device.wheels_on for device in devices)
    alarming = [device.name for device in devices if alarm_text(device)]
    text = f"{counted(len(devices), 'device')}, {streaming:,} streaming, {on:,} with wheels on"
    if not alarming:
        return f"{text}."
    more = f" and {len(alarming) - _NAMED:,} more" if len(alarming) > _NAMED else ""
    return f"{text}. ⚠ {len(alarming):,} need{'s' if len(alarming) == 1 else ''} attention: {', '.join(alarming[:_NAMED])}{more}."

"""A field in which the port of a blaster is chosen from those of this machine, or typed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from nicegui import ui

from service.web.action_settings import PortChoice
from service.web.pages.layout import Text, plain_button

_NO_PORT: Final = "No serial port is found: plug the blaster in and switch it on, then search again."


class PortField:
    """The ports of this machine to choose from, and a field for any other address."""

    def __init__(self, chosen: str, list_ports: Callable[[], Sequence[PortChoice]]) -> None:
        self.value = chosen
        """The port that is chosen; empty if there is none."""
        self._list_ports = list_ports
        with ui.element("div").classes("controls"):
            with ui.element("label").classes("field"):
                Text("Blaster at")
                self._select = ui.element("select").classes("plain")
                self._select.on("change", self._choose, js_handler="(event) => emit(event.target.value)")
            plain_button("Search again", self.refresh)
        self._none = Text(_NO_PORT, "p").classes("hint")
        with ui.element("label").classes("field"):
            Text("or another address")
            self._typed = ui.element("input").props(
                'type=text autocomplete=off placeholder="COM3, /dev/ttyACM0 or tcp://host:port"'
            )
            self._typed.on("input", self._type, js_handler="(event) => emit(event.target.value)")

    async def refresh(self) -> None:
        """Search for ports, and keep the one that is chosen."""
        ports = await asyncio.to_thread(self._list_ports)
        paths = [port.path for port in ports]
        typed = self.value not in paths
        if typed and not self.value and paths:
            self.value, typed = paths[0], False
        self._none.set_visibility(not ports)
        self._select.clear()
        with self._select:
            for port in ports:
                option = Text(f"{port.path}: {port.text}" if port.text else port.path, "option")
                option.props["value"] = port.path
                option.props["selected"] = port.path == self.value
            if typed or not ports:
                option = Text("the address below" if self.value else "none found", "option")
                option.props["value"] = ""
                option.props["selected"] = True
        if typed:
            self._typed.props["value"] = self.value

    def _choose(self, event: Any) -> None:
        if str(event.args):
            self.value = str(event.args)

    def _type(self, event: Any) -> None:
        self.value = str(event.args).strip()

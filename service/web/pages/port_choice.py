"""A field in which the port of a blaster is chosen from those of this machine, or typed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from nicegui import ui

from service.web.action_settings import PortChoice
from service.web.pages.layout import Text, plain_button

_NO_BLASTER: Final = "No blaster is found at a USB port: plug it in, switch it on, and search again. One behind another adapter can be chosen by hand."


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
        self._none = Text(_NO_BLASTER, "p").classes("hint")
        with ui.element("label").classes("field"):
            Text("or another address")
            self._typed = ui.element("input").props(
                'type=text autocomplete=off placeholder="COM3, /dev/ttyACM0 or tcp://host:port"'
            )
            self._typed.on("input", self._type, js_handler="(event) => emit(event.target.value)")

    async def refresh(self) -> None:
        """Search for ports, and keep the one that is chosen."""
        ports = await asyncio.to_thread(self._list_ports)
        blasters = [port.path for port in ports if port.is_blaster]
        if not self.value and blasters:
            self.value = blasters[0]
        typed = self.value not in {port.path for port in ports}
        self._none.set_visibility(not blasters)
        self._select.clear()
        with self._select:
            for port in ports:
                option = Text(f"{port.path}: {port.text}" if port.text else port.path, "option")
                option.props["value"] = port.path
                option.props["selected"] = port.path == self.value
            if typed:
                option = Text("the address below" if self.value else "choose a port", "option")
                option.props["value"] = ""
                option.props["selected"] = True
        if typed:
            # An attribute and no property, which would replace what is typed whenever the page is drawn again.
            self._typed.props["^value"] = self.value

    def _choose(self, event: Any) -> None:
        if str(event.args):
            self.value = str(event.args)

    def _type(self, event: Any) -> None:
        self.value = str(event.args).strip()

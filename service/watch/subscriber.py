"""Watching a daemon: a subscriber of its own, and the view on the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sys
import time
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.live import Live

from service.base.link_errors import reason_of
from service.config.broker_address import BrokerAddress
from service.mqtt.channels import STATUS_TOPIC
from service.mqtt.connection import MqttError, ProtocolVersion, connected_client
from service.watch.view import View
from stinger.device_name import DeviceName

_REDRAW_S: Final = 0.1
_AGAIN_S: Final = 1.0


async def watch(address: BrokerAddress, device: DeviceName | None, *, stop: asyncio.Event) -> None:
    """Show what the daemon at a broker says of ``device``, or of all, until ``stop``; through every loss of the broker."""
    title = f"{address}\nfrom another terminal: mosquitto_sub -h {address.host} -p {address.port} -v -t 'stinger/#'"
    view = View(title)
    with _shown(view) as shown:
        listening = asyncio.create_task(_listen(address, device, view, shown), name="watch")
        await stop.wait()
        listening.cancel()
        await asyncio.wait({listening})


class _Shown:
    """The view on a terminal, drawn anew at most ten times a second; elsewhere its title, and a line for each event."""

    def __init__(self, view: View, live: Live | None) -> None:
        self._view = view
        self._live = live
        self._drawn_s = 0.0

    def say(self, line: str | None) -> None:
        if self._live is None:
            if line is not None:
                print(line, flush=True)  # noqa: T201 - what the command is for
        elif line is not None or time.monotonic() - self._drawn_s >= _REDRAW_S:
            self._drawn_s = time.monotonic()
            self._live.update(self._view.picture(self._live.console.width), refresh=True)


@contextlib.contextmanager
def _shown(view: View) -> Iterator[_Shown]:
    if not sys.stdout.isatty():
        shown = _Shown(view, None)
        shown.say(view.title)
        yield shown
        return
    console = Console()
    with Live(view.picture(console.width), console=console, auto_refresh=False) as live:
        yield _Shown(view, live)


async def _listen(address: BrokerAddress, device: DeviceName | None, view: View, shown: _Shown) -> None:
    filters = [f"stinger/{device or '+'}/+", STATUS_TOPIC]
    identifier = f"stinger-watch-{secrets.token_hex(6)}"
    failure = ""
    while True:
        try:
            async with connected_client(address, identifier=identifier, protocol=ProtocolVersion.V311) as connection:
                client = connection.client
                failure = ""
                await client.subscribe([(name, 0) for name in filters])
                async for message in client.messages:
                    if isinstance(message.payload, bytes):
                        shown.say(view.feed(message.topic.value, message.payload))
        except (MqttError, OSError) as error:
            reason = reason_of(error)
            if reason != failure:
                failure = reason
                shown.say(view.lost(f"no broker at {address}: {failure}; trying again"))
        await asyncio.sleep(_AGAIN_S)

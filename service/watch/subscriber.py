"""``stinger watch``: a subscriber of its own, which shows a daemon's messages on the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.live import Live

from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot
from service.mqtt.aiomqtt_connection import AiomqttConnection
from service.mqtt.channels import ROOT, STATUS_TOPIC
from service.mqtt.connection import IncomingMessage
from service.mqtt.connector import Connector
from service.mqtt.errors import MqttError
from service.mqtt.subscribing import subscribe_to_all
from service.watch.view import View
from stinger.cli.streams import unguarded
from stinger.device_name import DeviceName

_REDRAW_S: Final = 0.1
_RETRY_S: Final = 1.0
_NOT_AUTHORIZED: Final = "(0x87)"
_EMBEDDED_HINT: Final = " (the embedded broker of a daemon: name the daemon's data folder with --data-dir)"


async def watch(
    address: BrokerAddress,
    device: DeviceName | None,
    *,
    stop: asyncio.Event,
    root: TopicRoot | None = None,
    page: str = "",
    to_personalise: str = "",
) -> None:
    """Show what a daemon publishes about ``device``, or about all, until ``stop``.

    Reconnect whenever the broker is lost.

    ``root`` is the beginning of its topics. ``page`` is the address of a page that shows the same, and
    ``to_personalise`` that of a blaster that may be personalised, if there are such.
    """
    root = TopicRoot() if root is None else root
    login = "" if address.user is None else f" -u {address.user} -P PASSWORD"
    subscribe = f"mosquitto_sub -h {address.host} -p {address.port}{login} -v -t '{root}/#'"
    title = f"{address}{f', in a browser: {page}' if page else ''}\nfrom another terminal: {subscribe}"
    if to_personalise:
        title += f"\na blaster to personalise: stinger personalise --port {to_personalise}"
    view = View(title)
    with _display(view) as display:
        listening = asyncio.create_task(_listen(address, root, device, view, display), name="watch")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            stopping.cancel()
            listening.result()  # raises what ended it
        listening.cancel()
        await asyncio.wait({listening})


class _Display:
    """Shows the view.

    On a terminal it is redrawn at most ten times a second; otherwise its title and a line for each event are printed.
    """

    def __init__(self, view: View, live: Live | None) -> None:
        self._view = view
        self._live = live
        self._drawn_s = 0.0

    def update(self, line: str | None) -> None:
        """Show the present state; ``line`` is the text of a new event, ``None`` if there is none."""
        if self._live is None:
            if line is not None:
                print(line, flush=True)  # noqa: T201 - what the command is for
        elif line is not None or time.monotonic() - self._drawn_s >= _REDRAW_S:
            self._drawn_s = time.monotonic()
            self._live.update(self._view.picture(self._live.console.width), refresh=True)


@contextlib.contextmanager
def _display(view: View) -> Iterator[_Display]:
    if not sys.stdout.isatty():
        display = _Display(view, None)
        display.update(view.title)
        yield display
        return
    console = Console(file=unguarded(sys.stdout))
    with Live(view.picture(console.width), console=console, auto_refresh=False) as live:
        yield _Display(view, live)


async def _listen(
    address: BrokerAddress, root: TopicRoot, device: DeviceName | None, view: View, display: _Display
) -> None:
    def show(message: IncomingMessage, _read_ns: int) -> None:
        display.update(view.feed(message.topic, message.payload))

    connector = Connector(AiomqttConnection, address, root=root)
    failure = ""
    while True:
        try:
            async with connector.connect(show) as connection:
                failure = ""
                await subscribe_to_all(connection, [(f"{ROOT}/{device or '+'}/+", 0), (STATUS_TOPIC, 0)])
                await connection.wait_lost()
        except MqttError as error:
            if str(error) != failure:
                failure = str(error)
                hint = _EMBEDDED_HINT if _NOT_AUTHORIZED in failure and address.user is None else ""
                display.update(view.lost(f"no connection to the broker at {address}: {failure}; trying again{hint}"))
        await asyncio.sleep(_RETRY_S)

"""A viewer of a page of ``stinger web`` that draws nothing.

It receives what a browser would, and answers as one does. It loads the page, opens the page's socket.io connection, and
acknowledges messages at the interval of NiceGUI's script. Of a browser it lacks the fetching of scripts and styles, the
running of what it receives, and the drawing.

Run: python -m benchmarks.page_viewer URL
"""

from __future__ import annotations

import ast
import asyncio
import re
import sys
import uuid
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import socketio

ACKNOWLEDGE_S: Final = 3.0
READY: Final = "receiving"
"""What it prints once the first message has arrived."""


async def view(url: str) -> None:
    """Receive what the page at ``url`` shows, until cancelled."""
    query = await _load(url)
    client = socketio.AsyncClient(reconnection=False)
    position, received = int(query["next_message_id"]), asyncio.Event()

    async def take(_event: str, message: Any = None) -> None:
        nonlocal position
        if isinstance(message, dict) and "_id" in message:
            position = message["_id"] + 1
            received.set()

    client.on("*", take)
    host = httpx.URL(url).copy_with(path="/")
    await client.connect(f"{host}?{urlencode(query)}", socketio_path="/_nicegui_ws/socket.io", transports=["websocket"])
    await received.wait()
    print(READY, flush=True)
    while client.connected:
        await asyncio.sleep(ACKNOWLEDGE_S)
        await client.emit("ack", {"client_id": query["client_id"], "next_message_id": position})


async def _load(url: str) -> dict[str, str]:
    """Return the parameters with which a script on the page would connect."""
    async with httpx.AsyncClient() as http:
        page = (await http.get(url)).raise_for_status().text
    found = re.search(r"query: (\{.*?\}),", page)
    if found is None:
        raise SystemExit(f"{url} is not a page of stinger web")
    tab, document = str(uuid.uuid4()), str(uuid.uuid4())
    parameters = {**ast.literal_eval(found[1]), "tab_id": tab, "document_id": document}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in parameters.items()}


if __name__ == "__main__":
    asyncio.run(view(sys.argv[1]))

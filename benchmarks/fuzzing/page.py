"""The decoders of the page: its own checks of requests and WebSockets, forms, and what it hears from daemons."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from starlette.types import Message, Receive, Scope, Send

from benchmarks.fuzzing.decoder import JSON_TOKENS, NUMBERS, Decoder
from benchmarks.fuzzing.texts import example_events
from replay.evaluation.file_names import JSON_FILE
from service.config.broker_address import BrokerAddress
from service.web.access import COOKIE, AccessGuard
from service.web.daemon_client import DaemonClient
from service.web.daemon_state import DaemonState
from service.web.passwords import Password, write_password_hash
from service.web.progress_lines import parse_progress
from service.web.trade_off import TRADE_OFF_FOLDER, TradeOff, read_trade_off

_REQUESTS: Final = (
    b"GET /\nhost: localhost:8080\n\n",
    b"GET /login\nhost: [::1]:8080\norigin: http://[::1]:8080\n\n",
    f"WEBSOCKET /_nicegui_ws\nhost: 10.0.0.2\norigin: https://10.0.0.2\ncookie: {COOKIE}=abc; x=y\n\n".encode(),
    b"POST /login\nhost: blasters.example\ncontent-type: application/x-www-form-urlencoded\n\npassword=a+long%20secret&x=%ff",
)
_HEADER_TOKENS: Final = (
    b"host: ",
    b"origin: ",
    b"cookie: ",
    b"[",
    b"]",
    b"//",
    b"\xff",
    b"%",
    b"&",
    b"=",
    b";",
    b"@",
    b":",
)


@contextmanager
def page_decoders(folder: Path) -> Iterator[list[Decoder]]:
    """Yield all of them. They use files in ``folder``."""
    with asyncio.Runner() as runner:
        yield _decoders(folder, runner.get_loop())


def _decoders(folder: Path, loop: asyncio.AbstractEventLoop) -> list[Decoder]:
    state = _Client(loop)
    row = {"parameters": {"on": 0.5}, "accepted": {"value": 0.9}, "false": {"value": 1.5}, "duty": 0.2}
    operating = {"parameters": {"on": 0.5}, "accepted": {"total": 30}, "minutes": 10.0}
    trade_off = json.dumps({"rows": [row], "operating": operating, "warnings": ["x"]}).encode()
    if _TradeOff(folder).read(trade_off) is None:
        raise AssertionError("the valid trade-off is not accepted")
    return [
        Decoder("requests to the page", _REQUESTS, _Page(None, loop).request, 4, (*_HEADER_TOKENS, *NUMBERS)),
        Decoder(
            "requests to a page with a password",
            _REQUESTS,
            _Page(_cheap_password(folder), loop).request,
            2,
            _HEADER_TOKENS,
        ),
        Decoder("messages to the page", (*example_events(), b'x/response\n{"id":"1"}'), state.take, 6, JSON_TOKENS),
        Decoder("progress of a program, at the page", (b'\x1e["text", 1, 2]', b"text"), _progress, 1, JSON_TOKENS),
        Decoder("trade-off of a model", (trade_off,), _TradeOff(folder).read, 1, JSON_TOKENS),
    ]


class _Page:
    """The guard in front of a page that answers every request that it lets pass."""

    def __init__(self, password: Password | None, loop: asyncio.AbstractEventLoop) -> None:
        self._password = password
        self._loop = loop

    def request(self, data: bytes) -> None:
        """Handle the request whose first line is method and path, then headers, a blank line and the body."""
        head, _, body = data.partition(b"\n\n")
        first, *lines = head.split(b"\n")
        method, _, path = first.partition(b" ")
        headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        kind = "websocket" if method == b"WEBSOCKET" else "http"
        scope: Scope = {
            "type": kind,
            "method": method.decode("latin-1"),
            "path": path.decode(errors="replace"),
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
            "scheme": "http",
        }
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            sent.append(message)

        guard = AccessGuard(_answer, self._password)  # a new one, which has not counted attempts yet
        self._loop.run_until_complete(guard(scope, receive, send))
        assert sent, "a request was not answered"


def _cheap_password(folder: Path) -> Password:
    path = folder / "page-password"
    write_password_hash(path, "a long secret")
    return _CheapPassword(path.read_text().strip())


class _CheapPassword(Password):
    """A password that is not hashed to be compared, which takes 50 ms on purpose."""

    def matches(self, text: str) -> bool:
        return text == "a long secret"


async def _answer(scope: Scope, _receive: Receive, send: Send) -> None:
    kind = "websocket.accept" if scope["type"] == "websocket" else "http.response.start"
    await send({"type": kind, "status": 200, "headers": []})


class _Client:
    """What the page keeps of a daemon's messages, and an answer that it waits for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._client = DaemonClient(lambda: BrokerAddress("127.0.0.1", 1), DaemonState())
        self._loop = loop

    def take(self, data: bytes) -> None:
        topic, _, payload = data.partition(b"\n")
        waiting: asyncio.Future[Any] = self._loop.create_future()
        self._client._waiting = {"1": waiting}  # noqa: SLF001 - a command would need a broker
        name = topic.decode(errors="replace")
        if name.endswith("/response"):
            self._client._take_answer(payload)  # noqa: SLF001
        else:
            self._client.state.feed(name, payload)


def _progress(data: bytes) -> None:
    parse_progress(data.decode(errors="replace"))


class _TradeOff:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / TRADE_OFF_FOLDER / "factory" / JSON_FILE
        self._path.parent.mkdir(parents=True, exist_ok=True)

    def read(self, data: bytes) -> TradeOff | None:
        self._path.write_bytes(data)
        return read_trade_off(self._folder, "factory")

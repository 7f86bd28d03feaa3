"""Who may use the page.

Checks host, origin and login of each request, and adds the security headers to each answer.
"""

from __future__ import annotations

import asyncio
import html
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.base.logs import get_logger
from service.config.broker_address import LOOPBACK
from service.web.passwords import AttemptLimit, Password

_LOG: Final = get_logger(__name__)

COOKIE: Final = "stinger_login"
LOGIN_PATH: Final = "/login"
LOGIN_LASTS_S: Final = 12 * 3600
LOOPBACK_HOSTS: Final = frozenset({"localhost", LOOPBACK, "::1"})
_MAX_LOGINS: Final = 1_000
_MAX_FORM_BYTES: Final = 8_192
_HASHES_AT_ONCE: Final = 2
"""Hashing a password takes 64 MB: without a limit, anyone who reaches the login could fill the memory."""
_NETWORK_BITS: Final = 64
"""Attempts from IPv6 count by network: one machine has very many addresses in it."""
_POLICY_VIOLATION: Final = 1008
_POLICY: Final = (
    # NiceGUI compiles its templates in the browser and writes its start script into the page: both need 'unsafe'. What
    # matters here is that nothing is loaded from, or sent to, another host.
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Logins:
    """The logins of browsers, each known by a random token in its cookie.

    The oldest is dropped when there are too many.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._until_s: dict[str, float] = {}

    def add(self) -> str:
        """Return the token of a new login."""
        if len(self._until_s) >= _MAX_LOGINS:
            del self._until_s[next(iter(self._until_s))]
        token = secrets.token_urlsafe(32)
        self._until_s[token] = self._now_s() + LOGIN_LASTS_S
        return token

    def valid(self, token: str | None) -> bool:
        """Return whether ``token`` is of a login that has not expired."""
        return token is not None and self._now_s() < self._until_s.get(token, 0.0)


class AccessGuard:
    """Lets requests pass to ``app`` that may use the page.

    Without ``password``, requests must name this machine as their host, so that no other site's name can stand for it.
    With one, they need the cookie of a login. Requests from pages of other origins are refused, also those that open a
    WebSocket. ``secure`` is whether the page is served over TLS: cookies are then sent over TLS only.
    """

    def __init__(
        self, app: ASGIApp, password: Password | None, *, secure: bool = False, limit: AttemptLimit | None = None
    ) -> None:
        self.app = app
        self._password = password
        self._secure = secure
        self._limit = AttemptLimit() if limit is None else limit
        self._logins = Logins()
        self._hashing = asyncio.Semaphore(_HASHES_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request or a WebSocket, as ASGI defines it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                # Beside a policy that the answer has itself: a browser keeps to both.
                headers.append("Content-Security-Policy", _POLICY)
            await send(message)

        refusal = self._refusal(Headers(scope=scope))
        if refusal is None and self._password is not None:
            refusal = await self._login_answer(scope, receive, self._password)
        if refusal is None:
            await self.app(scope, receive, send_protected)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            await refusal(scope, receive, send_protected)

    def _refusal(self, headers: Headers) -> Response | None:
        """Return the answer to a request with a host or origin that is not this page's; ``None`` for others."""
        host = headers.get("host", "")
        if self._password is None and _host_name(host) not in LOOPBACK_HOSTS:
            return PlainTextResponse("This page is served to this machine only.", HTTPStatus.MISDIRECTED_REQUEST)
        origin = headers.get("origin")
        if origin is not None and _origin_host(origin) != host.lower():
            return PlainTextResponse("This request comes from a page of another site.", HTTPStatus.FORBIDDEN)
        return None

    async def _login_answer(self, scope: Scope, receive: Receive, password: Password) -> Response | None:
        """Return the login page, or the answer to it; ``None`` for a request with a valid login."""
        if scope["type"] == "http" and scope["path"] == LOGIN_PATH:
            request = Request(scope, receive)
            return await self._log_in(request, password) if request.method == "POST" else login_page()
        cookies = Request({**scope, "type": "http"}).cookies
        if self._logins.valid(cookies.get(COOKIE)):
            return None
        return RedirectResponse(LOGIN_PATH, HTTPStatus.SEE_OTHER)

    async def _log_in(self, request: Request, password: Password) -> Response:
        address = attempts_key(request.client.host if request.client else "")
        wait_s = self._limit.wait_s(address)
        if wait_s:
            response = login_page(f"Too many attempts: try again in {wait_s:.0f} s.", HTTPStatus.TOO_MANY_REQUESTS)
            response.headers["Retry-After"] = f"{wait_s:.0f}"
            return response
        self._limit.count(address)
        text = await _form_value(request, "password")
        async with self._hashing:
            right = text is not None and await asyncio.to_thread(password.matches, text)
        if not right:
            _LOG.warning("login_refused", address=address)
            return login_page("This is not the password.", HTTPStatus.UNAUTHORIZED)
        self._limit.forget(address)
        _LOG.info("logged_in", address=address)
        entered = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        entered.set_cookie(
            COOKIE, self._logins.add(), max_age=LOGIN_LASTS_S, httponly=True, samesite="strict", secure=self._secure
        )
        return entered


def attempts_key(address: str) -> str:
    """Return what attempts from ``address`` are counted by: the address, of IPv6 its network.

    >>> attempts_key("192.0.2.7"), attempts_key("2001:db8::1:2:3"), attempts_key("::ffff:192.0.2.7")
    ('192.0.2.7', '2001:db8::/64', '192.0.2.7')
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), _NETWORK_BITS), strict=False))


def login_page(problem: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return the page that asks for the password."""
    shown = f'<p role="alert">{html.escape(problem)}</p>' if problem else ""
    return HTMLResponse(_LOGIN_PAGE.replace("<!-- problem -->", shown), status, headers={"Cache-Control": "no-store"})


async def _form_value(request: Request, name: str) -> str | None:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_FORM_BYTES:
            return None
    return parse_qs(body.decode(errors="replace")).get(name, [None])[0]


def _origin_host(origin: str) -> str | None:
    """Return host and port of an Origin header; ``None`` for a malformed one."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


_LOGIN_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Stinger: log in</title>
<style>
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
main { max-width: 22rem; margin: 15vh auto; padding: 0 1rem; }
input, button { font: inherit; width: 100%; padding: .6rem; margin-top: .4rem; box-sizing: border-box; }
[role=alert] { border-left: .3rem solid #d55e00; padding-left: .6rem; }
</style>
</head>
<body>
<main>
<h1>Stinger</h1>
<!-- problem -->
<form method="post" action="/login">
<label for="password">Password of this page</label>
<input id="password" name="password" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Log in</button>
</form>
</main>
</body>
</html>
"""

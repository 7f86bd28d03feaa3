"""A connection to a cluster of NATS servers, which finds another server by itself when one is lost."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import nats.errors
import nats.js.errors
from nats.aio.client import Client

from service.base.link_errors import reason_of
from service.base.logs import get_logger
from service.config.broker_address import read_password, tls_context
from service.config.source_url import NatsUrl
from service.sources.nats_direct import use_direct_parser
from stinger.errors import StingerError

REQUEST_S: Final = 0.5
"""How long a server may take to answer. A request that took longer than a lease would be of no use."""
CONNECT_S: Final = 2
RECONNECT_S: Final = 0.1
"""Pause between two attempts to connect."""
PING_S: Final = 1
"""Interval of pings; a connection on which two are unanswered counts as lost."""

_REFUSED: Final = "check user, password_file and the server's accounts"
_LOG: Final = get_logger(__name__)
_ERRORS: Final = (nats.errors.Error, OSError, TimeoutError)


class NatsProblemError(StingerError):
    """The servers cannot be reached, or refuse a request; trying again later may help."""


@asynccontextmanager
async def connected(url: NatsUrl) -> AsyncIterator[Client]:
    """Connect to a server of ``url``, waiting until one accepts; close the connection at the end.

    Problems are logged. A server that is lost later is replaced by another one of the cluster.
    """
    client = Client()
    use_direct_parser(client)
    known: set[str] = set()  # problems since the last connection: a refusal and its consequences alternate
    closing = False

    def log(what: str) -> None:
        level = logging.DEBUG if what in known or _REFUSED in known else logging.WARNING
        known.add(_REFUSED if what.endswith(_REFUSED) else what)
        _LOG.log(level, "nats_unavailable", reason=what)

    async def report(error: Exception) -> None:
        # These concern one subscription or request, whose caller learns of them.
        if not isinstance(error, nats.errors.SlowConsumerError):
            log(reason(error))

    async def lost() -> None:
        if not closing:
            log("the connection to the server was lost")

    async def found() -> None:
        known.clear()
        _LOG.info("nats_connected", server=_server(client))

    try:
        with _cancellable():
            await client.connect(
                [f"nats://{_host(host)}:{port}" for host, port in url.servers],
                error_cb=report,
                disconnected_cb=lost,
                reconnected_cb=found,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RECONNECT_S,  # type: ignore[arg-type]  # it accepts fractions
                connect_timeout=CONNECT_S,
                ping_interval=PING_S,
                max_outstanding_pings=2,
                **_credentials(url),
            )
        await found()
        yield client
    finally:
        closing = True
        if not client.is_closed:
            await client.close()


@asynccontextmanager
async def problems_of(what: str, *, within_s: float = REQUEST_S) -> AsyncIterator[None]:
    """Raise :class:`NatsProblemError` with ``what`` for an error of the client or of a server, and after ``within_s``.

    The client's own time limits do not count the time for which it has no connection.
    """
    try:
        with _cancellable():
            async with asyncio.timeout(within_s):
                yield
    except _ERRORS as error:
        raise NatsProblemError(f"{what}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Return what went wrong, for a person."""
    text = " ".join(str(error).removeprefix("nats: ").strip("'\"").split())
    match error:
        case nats.errors.NoRespondersError() | nats.js.errors.NoStreamResponseError():
            return "JetStream does not answer: is it switched on, and does the user have access to it?"
        case nats.js.errors.APIError(description=str(described)):
            return f"the server refuses: {described}"
        case TimeoutError():
            return "no answer in time"
        case OSError():
            return reason_of(error)
        case _:
            refused = "authorization" in text.lower()
            return f"{text}: {_REFUSED}" if refused else text or type(error).__name__


@contextmanager
def _cancellable() -> Iterator[None]:
    """Raise a cancellation of the task that the block has swallowed.

    The client uses ``asyncio.wait_for``, which before Python 3.12 returns the result if it is there at the same moment.
    """
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    try:
        yield
    finally:
        if task.cancelling() > before:
            raise asyncio.CancelledError


def _credentials(url: NatsUrl) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if url.user is not None and url.password_file is not None:
        options = {"user": url.user, "password": read_password(url.password_file)}
    if url.ca_file is not None:
        options["tls"] = _tls(url)
    return options


def _tls(url: NatsUrl) -> ssl.SSLContext:
    return tls_context(url.ca_file, url.cert_file, url.key_file)


def _server(client: Client) -> str:
    at = client.connected_url
    return "" if at is None else at.netloc.rpartition("@")[2]


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host

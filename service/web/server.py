"""Runs the page's web server until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI
from nicegui import ui

from service.config.broker_address import BrokerAddress
from service.config.topic_root import TopicRoot
from service.web.access import AccessGuard
from service.web.action_settings import ActionSettings, PortChoice
from service.web.daemon_client import DaemonClient
from service.web.daemon_state import DaemonState
from service.web.pages import add_pages
from service.web.passwords import Password
from stinger.errors import InputError, UnavailableError

_CLOSE_WITHIN_S: Final = 1
_BACKLOG: Final = 128


@dataclass(frozen=True, slots=True)
class PageSettings:
    """What the page serves, where, and to whom."""

    host: str
    port: int
    """0 for a free one."""
    data_dir: Path
    find_broker: Callable[[], BrokerAddress]
    root: TopicRoot
    password: Password | None = None
    certificate: Path | None = None
    """File with the certificate, for TLS."""
    key: Path | None = None
    config_file: Path | None = None
    """The daemon's TOML file, whose settings training uses."""
    metrics_links: Mapping[str, str] = field(default_factory=dict)
    """The addresses of pages with metrics, by name."""
    list_ports: Callable[[], Sequence[PortChoice]] = tuple
    """Returns the serial ports of this machine, blasters first."""


async def serve(settings: PageSettings, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serve the page until ``stop``; ``ready`` takes its address once it can be opened.

    Raises :class:`UnavailableError` if the address cannot be listened on, and :class:`InputError` for a certificate or
    key that cannot be used.
    """
    listener = _listen(settings.host, settings.port)
    client = DaemonClient(settings.find_broker, DaemonState(), root=settings.root)
    actions = ActionSettings(settings.data_dir, settings.list_ports, settings.config_file)
    add_pages(client, settings.data_dir, actions, dict(settings.metrics_links))
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    ui.run_with(app, title="Stinger", dark=None, language="en-GB", tailwind=False, show_welcome_message=False)
    tls = settings.certificate is not None
    config = uvicorn.Config(
        AccessGuard(app, settings.password, secure=tls),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
        timeout_graceful_shutdown=_CLOSE_WITHIN_S,
        ws="websockets-sansio",
    )
    try:
        config.load()
    except (ssl.SSLError, ValueError) as error:
        listener.close()
        raise InputError(f"--tls-certificate {settings.certificate}, --tls-key {settings.key}: {error}") from error
    server = _Server(config, lambda: ready(_address(settings.host, listener.getsockname()[1], tls)))
    with listener:
        try:
            async with asyncio.TaskGroup() as tasks:
                connecting = tasks.create_task(client.run(), name="daemon-client")
                serving = tasks.create_task(server.serve([listener]), name="web-server")
                stopping = tasks.create_task(stop.wait(), name="stop")
                await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
                server.should_exit = True
                await serving
                stopping.cancel()
                connecting.cancel()
        finally:
            await asyncio.to_thread(actions.actions.close)


class _Server(uvicorn.Server):
    """A server that calls ``ready`` once it serves."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the command, which connects them itself."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UnavailableError(f"--port {port}: cannot listen on {host}: {error.strerror or error}") from error


def _address(host: str, port: int, tls: bool) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}/"

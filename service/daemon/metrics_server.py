"""The HTTP server for metrics and health. The daemon also runs without it; a start that fails is repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from service.base.logs import get_logger
from service.ops.http import HttpServer
from stinger.errors import InputError

RETRY_S: Final = 5.0

_LOG = get_logger(__name__)


class MetricsServer:
    """Starts the server that ``start`` returns; ``start`` raises :class:`InputError` if it cannot listen.

    ``on_problem`` is called with the reason why there is no server, when it changes, and with an empty text once there
    is one. Without ``start``, no server is configured.
    """

    def __init__(self, start: Callable[[], HttpServer] | None, on_problem: Callable[[str], None]) -> None:
        self._start = start
        self._on_problem = on_problem
        self._server: HttpServer | None = None
        self._problem = ""
        self._try()

    @property
    def url(self) -> str | None:
        """The server's address, without a path; ``None`` if there is no server."""
        return None if self._server is None else self._server.url

    async def supervise(self, *, every_s: float = RETRY_S) -> None:
        """Until cancelled, start the server as soon as that is possible, and again if its thread has ended."""
        while self._start is not None:
            await asyncio.sleep(every_s)
            if self._server is not None and not self._server.alive:
                self._server.close()
                self._server = None
                self._report("the thread that serves metrics has ended: see the log")
            if self._server is None:
                self._try()

    def close(self) -> None:
        """Stop the server."""
        if self._server is not None:
            self._server.close()

    def _try(self) -> None:
        if self._start is None:
            return
        try:
            self._server = self._start()
            problem = ""
        except InputError as error:
            problem = str(error)
        self._report(problem)

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._on_problem(problem)
            if not problem:
                _LOG.info("metrics_served", url=self.url)

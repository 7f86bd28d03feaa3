"""What the daemon says over HTTP: ``/metrics``, ``/healthz``, ``/readyz``; from a thread of its own."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Final, Self

from service.base.logs import get_logger
from service.ops.exposition import CONTENT_TYPE
from stinger.errors import InputError

LOOPBACK: Final = "127.0.0.1"

# Whoever connects and says nothing holds a thread for so long, and no more than so many at once.
_PATIENCE_S: Final = 5.0
_MAX_CONNECTIONS: Final = 32
_POLL_S: Final = 0.1
_TEXT: Final = "text/plain; charset=utf-8"
_LOG = get_logger(__name__)


class HttpServer:
    """Serves from its making until :meth:`close`. ``port`` 0 takes any free one; :attr:`port` tells which.

    ``metrics`` gives the text for ``/metrics``; ``unready`` why the daemon is not ready, empty where it is. Both are
    called in threads of the server. ``/healthz`` answers as long as the process lives. Raises :class:`InputError`, which
    names host and port, if they cannot be had.
    """

    def __init__(
        self, *, port: int, metrics: Callable[[], bytes], unready: Callable[[], str], host: str = LOOPBACK
    ) -> None:
        try:
            self._server = _Server(host, port, metrics, unready)
        except (OSError, UnicodeError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise InputError(
                f"cannot serve metrics on {_bracketed(host)}:{port}: {reason}: choose another metrics.port or metrics.host"
            ) from error
        self.host = host
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), name="http", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it serves, without a path."""
        return f"http://{_bracketed(self.host)}:{self.port}"

    def close(self) -> None:
        """Stop within a tenth of a second; whoever is connected is cut off."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.cut_off()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 2 * _MAX_CONNECTIONS
    # On Windows this would let two processes have the same port.
    allow_reuse_address = os.name != "nt"

    def __init__(self, host: str, port: int, metrics: Callable[[], bytes], unready: Callable[[], str]) -> None:
        self.metrics = metrics
        self.unready = unready
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own looks its host up in the DNS, which can take seconds and is used for nothing here.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "stinger", int(self.server_address[1])

    def verify_request(self, request: object, client_address: object) -> bool:
        del client_address
        assert isinstance(request, socket.socket)
        with self._lock:
            if len(self._connections) >= _MAX_CONNECTIONS:
                return False
            self._connections.add(request)
        return True

    def shutdown_request(self, request: object) -> None:
        assert isinstance(request, socket.socket)
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked has gone: no matter."""

    def cut_off(self) -> None:
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE_S
    server_version = "stinger"
    sys_version = ""

    def do_GET(self) -> None:
        try:
            answer = self._answer_to(self.path.partition("?")[0])
        except Exception:  # noqa: BLE001 - a bug behind one page must not cost the others
            _LOG.exception("http_request_failed", path=self.path)
            answer = HTTPStatus.INTERNAL_SERVER_ERROR, b"failed: see the daemon's log\n", _TEXT
        self._send(*answer)

    do_HEAD = do_GET  # noqa: N815 - the base class looks for it

    def _answer_to(self, path: str) -> tuple[HTTPStatus, bytes, str]:
        match path:
            case "/metrics":
                return HTTPStatus.OK, self.server.metrics(), CONTENT_TYPE
            case "/healthz":
                return HTTPStatus.OK, b"ok\n", _TEXT
            case "/readyz":
                reason = self.server.unready()
                status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
                return status, f"{reason or 'ready'}\n".encode(), _TEXT
        return HTTPStatus.NOT_FOUND, b"there are /metrics, /healthz and /readyz\n", _TEXT

    def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Requests are not logged: they come every few seconds."""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

"""Serves ``/metrics``, ``/healthz`` and ``/readyz`` over HTTP, from a thread of its own."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv6Address, ip_address
from socketserver import TCPServer
from types import TracebackType
from typing import Final, Self

from service.base.logs import get_logger
from service.ops.exposition import CONTENT_TYPE
from stinger.errors import InputError
from stinger.files import text_bytes

LOOPBACK: Final = "127.0.0.1"

REQUEST_S: Final = 5.0
"""How long a client may take for its whole request and for reading the answer."""
_MAX_CONNECTIONS: Final = 32
_MAX_LOCAL_CONNECTIONS: Final = 8
"""On top of the others: kept for this machine's own checks, such as a container's."""
_POLL_S: Final = 0.1
_WORDS_OF_HTTP_0_9: Final = 2
_NO_MORE_FILES: Final = (errno.EMFILE, errno.ENFILE)
_TOO_SLOW: Final = b"HTTP/1.0 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_TEXT: Final = "text/plain; charset=utf-8"
_LOG = get_logger(__name__)


class HttpServer:
    """A server that runs from its construction until :meth:`close`. ``port`` 0 takes a free one: see :attr:`port`.

    ``metrics`` returns the body of ``/metrics``; ``unready_reason`` returns why the daemon is not ready, or an empty
    text. Both are called in the server's threads. ``/healthz`` answers 200 as long as the process lives. Raises
    :class:`InputError`, which names host and port, if it cannot listen there.
    """

    def __init__(
        self,
        *,
        port: int,
        metrics: Callable[[], bytes],
        unready_reason: Callable[[], str],
        host: str = LOOPBACK,
        request_s: float = REQUEST_S,
    ) -> None:
        try:
            self._server = _Server(host, port, metrics, unready_reason, request_s)
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
        """The server's address, without a path."""
        return f"http://{_bracketed(self.host)}:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether its thread runs; without it, no request is answered."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop within a tenth of a second and disconnect all clients."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.disconnect_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(slots=True, eq=False)
class _Connection:
    """A client that is connected."""

    socket: socket.socket
    local: bool
    """Whether it is on this machine."""
    ends_s: float
    """When it is disconnected at the latest, by the monotonic clock."""
    asked: bool = False
    """Whether its request has been received."""

    def end(self) -> None:
        """Disconnect a client that has taken too long; one that has sent no whole request is answered that."""
        if not self.asked:
            with suppress(OSError):
                self.socket.send(_TOO_SLOW, getattr(socket, "MSG_DONTWAIT", 0))
        self.disconnect()

    def disconnect(self) -> None:
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 2 * _MAX_CONNECTIONS
    # On Windows this would allow two processes to listen on the same port.
    allow_reuse_address = os.name != "nt"

    def __init__(
        self,
        host: str,
        port: int,
        metrics: Callable[[], bytes],
        unready_reason: Callable[[], str],
        request_s: float,
    ) -> None:
        self.metrics = metrics
        self.unready_reason = unready_reason
        self._request_s = request_s
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, _Connection] = {}
        self._spare = -1
        self._keep_spare()
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own method looks the host up in the DNS, which can take seconds and is not needed here.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "stinger", int(self.server_address[1])

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a client; where the process may open no more files, in place of one that was kept open for this."""
        try:
            return super().get_request()
        except OSError as error:
            if error.errno not in _NO_MORE_FILES:
                raise
        self._release_spare()
        try:
            return super().get_request()
        except OSError:
            time.sleep(_POLL_S)  # the client still waits: without a pause, this thread would use a whole core
            raise

    def server_close(self) -> None:
        self._release_spare()
        super().server_close()

    def _keep_spare(self) -> None:
        with suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY)

    def _release_spare(self) -> None:
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1

    def verify_request(self, request: object, client_address: object) -> bool:
        assert isinstance(request, socket.socket)
        assert isinstance(client_address, tuple)
        local = is_loopback(str(client_address[0]))
        with self._lock:
            if not self._make_room(local=local):
                return False
            self._connections[request] = _Connection(request, local, time.monotonic() + self._request_s)
        return True

    def service_actions(self) -> None:
        """Disconnect clients that have taken too long; called in every round of the server's thread."""
        if self._spare < 0:
            self._keep_spare()
        now_s = time.monotonic()
        with self._lock:
            for connection in self._connections.values():
                if connection.ends_s < now_s:
                    connection.end()

    def on_request(self, request: socket.socket) -> None:
        """Note that a client has sent its request: clients that have not are disconnected first."""
        with self._lock:
            if request in self._connections:
                self._connections[request].asked = True

    def shutdown_request(self, request: object) -> None:
        assert isinstance(request, socket.socket)
        with self._lock:
            self._connections.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore it: the client has disconnected."""

    def disconnect_all(self) -> None:
        with self._lock:
            for connection in self._connections.values():
                connection.disconnect()

    def _make_room(self, *, local: bool) -> bool:
        """Make room for a new client: if there are too many, disconnect one. Return whether there is room.

        That is the oldest that has sent no whole request, or else the oldest. No client on this machine is disconnected
        for one on another.
        """
        connections = list(self._connections.values())
        others = [connection for connection in connections if not connection.local]
        if local and len(connections) < _MAX_CONNECTIONS + _MAX_LOCAL_CONNECTIONS:
            return True
        if not local and len(others) < _MAX_CONNECTIONS:
            return True
        candidates = connections if local else others
        oldest = min(candidates, key=lambda connection: (connection.asked, connection.local), default=None)
        if oldest is None:
            return False
        oldest.disconnect()
        del self._connections[oldest.socket]
        return True


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    raw_requestline: bytes
    timeout = 2 * REQUEST_S  # the server ends the connection before
    server_version = "stinger"
    default_request_version = "HTTP/1.0"  # with the base class's 0.9, a malformed request is answered without a status
    sys_version = ""

    def parse_request(self) -> bool:
        """Parse the request; refuse one of HTTP/0.9, which has no version, at once: it has no blank line to wait for."""
        if len(self.raw_requestline.split()) == _WORDS_OF_HTTP_0_9:
            self.requestline, self.command = str(self.raw_requestline, "iso-8859-1").rstrip("\r\n"), ""
            self.request_version, self.close_connection = self.default_request_version, True
            self.send_error(HTTPStatus.BAD_REQUEST, "HTTP/0.9 is not supported: end the first line with HTTP/1.1")
            return False
        return super().parse_request()

    def do_GET(self) -> None:
        self.server.on_request(self.connection)
        try:
            response = self._respond(self.path.partition("?")[0])
        except Exception:  # noqa: BLE001 - a bug behind one path must not take down the others
            _LOG.exception("http_request_failed", path=self.path)
            response = HTTPStatus.INTERNAL_SERVER_ERROR, b"failed: see the daemon's log\n", _TEXT
        self._send(*response)

    do_HEAD = do_GET  # noqa: N815 - the name that the base class expects

    def _respond(self, path: str) -> tuple[HTTPStatus, bytes, str]:
        match path:
            case "/metrics":
                return HTTPStatus.OK, self.server.metrics(), CONTENT_TYPE
            case "/healthz":
                return HTTPStatus.OK, b"ok\n", _TEXT
            case "/readyz":
                reason = self.server.unready_reason()
                status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
                return status, text_bytes(f"{reason or 'ready'}\n"), _TEXT
        return HTTPStatus.NOT_FOUND, b"not found: expected /metrics, /healthz or /readyz\n", _TEXT

    def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Do not log requests: they come every few seconds."""


def is_loopback(address: str) -> bool:
    """Return whether ``address``, of a client, is this machine's own.

    >>> is_loopback("127.0.0.1"), is_loopback("::ffff:127.0.0.1"), is_loopback("192.168.1.7")
    (True, True, False)
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (mapped or parsed).is_loopback


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

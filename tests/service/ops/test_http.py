from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from service.ops.http import HttpServer
from stinger.errors import InputError


class _Daemon:
    def __init__(self) -> None:
        self.reason = ""

    def metrics(self) -> bytes:
        if self.reason == "bug":
            raise ZeroDivisionError
        return b"stinger_up 1\n"

    def unready_reason(self) -> str:
        return self.reason


@pytest.fixture
def daemon() -> _Daemon:
    return _Daemon()


@pytest.fixture
def server(daemon: _Daemon) -> Iterator[HttpServer]:
    with HttpServer(port=0, metrics=daemon.metrics, unready_reason=daemon.unready_reason) as running:
        yield running


def request(server: HttpServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_every_path_and_method_is_answered(server: HttpServer) -> None:
    assert request(server, "/metrics") == (200, b"stinger_up 1\n")
    assert request(server, "/metrics?name[]=x") == (200, b"stinger_up 1\n")
    assert request(server, "/metrics", "HEAD") == (200, b"")
    assert request(server, "/healthz") == (200, b"ok\n")
    assert request(server, "/readyz") == (200, b"ready\n")
    assert request(server, "/secret")[0] == 404
    assert request(server, "/metrics", "POST")[0] == 501


def test_unready_daemon_answers_503_with_the_reason(server: HttpServer, daemon: _Daemon) -> None:
    daemon.reason = "no broker"
    assert request(server, "/readyz") == (503, b"no broker\n")
    assert request(server, "/healthz") == (200, b"ok\n")


def test_internal_error_is_500_and_logged(
    server: HttpServer, daemon: _Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    daemon.reason = "bug"
    assert request(server, "/metrics")[0] == 500
    assert "ZeroDivisionError" in caplog.text


def test_serves_on_loopback_by_default(server: HttpServer) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}"


def test_serves_on_ipv6(daemon: _Daemon) -> None:
    try:
        server = HttpServer(host="::1", port=0, metrics=daemon.metrics, unready_reason=daemon.unready_reason)
    except InputError:
        pytest.skip("no IPv6 here")
    with server:
        assert request(server, "/healthz")[0] == 200
        assert server.url.startswith("http://[::1]:")


def test_busy_port_is_one_clear_line(server: HttpServer, daemon: _Daemon) -> None:
    with pytest.raises(InputError, match=rf"^cannot serve metrics on 127\.0\.0\.1:{server.port}: .*in use"):
        HttpServer(port=server.port, metrics=daemon.metrics, unready_reason=daemon.unready_reason)


def test_foreign_host_is_one_clear_line(daemon: _Daemon) -> None:
    with pytest.raises(InputError, match=r"^cannot serve metrics on 192\.0\.2\.1:0: [^\n]+$"):
        HttpServer(host="192.0.2.1", port=0, metrics=daemon.metrics, unready_reason=daemon.unready_reason)


def test_close_disconnects_a_client_at_once(daemon: _Daemon) -> None:
    server = HttpServer(port=0, metrics=daemon.metrics, unready_reason=daemon.unready_reason)
    with socket.create_connection((server.host, server.port), timeout=5) as silent:
        assert request(server, "/healthz")[0] == 200
        start = time.monotonic()
        server.close()
        assert time.monotonic() - start < 1
        assert silent.recv(1) == b""


def test_number_of_silent_connections_is_limited(server: HttpServer) -> None:
    clients = [socket.create_connection((server.host, server.port), timeout=5) for _ in range(40)]
    try:
        refused = 0
        for connection in clients[32:]:
            refused += connection.recv(1) == b""
        assert refused == 8
    finally:
        for connection in clients:
            connection.close()

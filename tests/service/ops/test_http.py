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

    def unready(self) -> str:
        return self.reason


@pytest.fixture
def daemon() -> _Daemon:
    return _Daemon()


@pytest.fixture
def server(daemon: _Daemon) -> Iterator[HttpServer]:
    with HttpServer(port=0, metrics=daemon.metrics, unready=daemon.unready) as running:
        yield running


def ask(server: HttpServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_answers(server: HttpServer) -> None:
    assert ask(server, "/metrics") == (200, b"stinger_up 1\n")
    assert ask(server, "/metrics?name[]=x") == (200, b"stinger_up 1\n")
    assert ask(server, "/metrics", "HEAD") == (200, b"")
    assert ask(server, "/healthz") == (200, b"ok\n")
    assert ask(server, "/readyz") == (200, b"ready\n")
    assert ask(server, "/secret")[0] == 404
    assert ask(server, "/metrics", "POST")[0] == 501


def test_what_is_not_ready_says_why(server: HttpServer, daemon: _Daemon) -> None:
    daemon.reason = "no broker"
    assert ask(server, "/readyz") == (503, b"no broker\n")
    assert ask(server, "/healthz") == (200, b"ok\n")


def test_fault_of_our_own_is_logged(server: HttpServer, daemon: _Daemon, caplog: pytest.LogCaptureFixture) -> None:
    daemon.reason = "bug"
    assert ask(server, "/metrics")[0] == 500
    assert "ZeroDivisionError" in caplog.text


def test_serves_on_loopback_unless_told(server: HttpServer) -> None:
    assert server.url == f"http://127.0.0.1:{server.port}"


def test_serves_on_ipv6(daemon: _Daemon) -> None:
    try:
        server = HttpServer(host="::1", port=0, metrics=daemon.metrics, unready=daemon.unready)
    except InputError:
        pytest.skip("no IPv6 here")
    with server:
        assert ask(server, "/healthz")[0] == 200
        assert server.url.startswith("http://[::1]:")


def test_busy_port_is_one_clear_line(server: HttpServer, daemon: _Daemon) -> None:
    with pytest.raises(InputError, match=rf"^cannot serve metrics on 127\.0\.0\.1:{server.port}: .*in use"):
        HttpServer(port=server.port, metrics=daemon.metrics, unready=daemon.unready)


def test_host_of_nobody_is_one_clear_line(daemon: _Daemon) -> None:
    with pytest.raises(InputError, match=r"^cannot serve metrics on 192\.0\.2\.1:0: [^\n]+$"):
        HttpServer(host="192.0.2.1", port=0, metrics=daemon.metrics, unready=daemon.unready)


def test_stops_at_once_although_somebody_is_connected(daemon: _Daemon) -> None:
    server = HttpServer(port=0, metrics=daemon.metrics, unready=daemon.unready)
    with socket.create_connection((server.host, server.port), timeout=5) as silent:
        assert ask(server, "/healthz")[0] == 200
        start = time.monotonic()
        server.close()
        assert time.monotonic() - start < 1
        assert silent.recv(1) == b""


def test_silent_crowd_does_not_take_every_thread(server: HttpServer) -> None:
    crowd = [socket.create_connection((server.host, server.port), timeout=5) for _ in range(40)]
    try:
        refused = 0
        for connection in crowd[32:]:
            refused += connection.recv(1) == b""
        assert refused == 8
    finally:
        for connection in crowd:
            connection.close()

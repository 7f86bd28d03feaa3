from __future__ import annotations

import http.client
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from service.ops.http import HttpServer, is_loopback
from stinger.errors import InputError
from tests.helpers.patience import PATIENCE_S


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
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PATIENCE_S)
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


def test_request_of_http_0_9_is_refused_at_once_as_no_blank_line_follows_it(server: HttpServer) -> None:
    with socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET /readyz\r\n")
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.0 400 HTTP/0.9 is not supported")


@pytest.mark.parametrize("sent", [b"", b"GET /readyz HTTP/1.1", b"GET /readyz HTTP/1.1\r\nHost: a\r\n"])
def test_request_that_is_never_complete_is_answered_408(daemon: _Daemon, sent: bytes) -> None:
    with (
        HttpServer(port=0, metrics=daemon.metrics, unready_reason=daemon.unready_reason, request_s=0.2) as server,
        socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as client,
    ):
        client.sendall(sent)
        assert client.makefile("rb").read().startswith(b"HTTP/1.0 408 ")


@pytest.mark.parametrize("line", [b"GET /readyz HTTP/9.9", b"PRI * HTTP/2.0", b"GET"])
def test_malformed_request_is_answered_with_a_status(server: HttpServer, line: bytes) -> None:
    with socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as client:
        client.sendall(line + b"\r\n\r\n")
        assert client.makefile("rb").readline().startswith(b"HTTP/1.0 ")


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
    server = HttpServer(port=0, metrics=daemon.metrics, unready_reason=daemon.unready_reason, request_s=120)
    with socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as silent:
        assert request(server, "/healthz")[0] == 200
        start = time.monotonic()
        server.close()
        assert time.monotonic() - start < 60  # not the time that a request may take
        assert silent.recv(1) == b""


def test_number_of_silent_connections_is_limited_and_the_oldest_are_closed(server: HttpServer) -> None:
    clients = [socket.create_connection((server.host, server.port), timeout=PATIENCE_S) for _ in range(50)]
    try:
        assert [connection.recv(1) for connection in clients[:10]] == [b""] * 10
    finally:
        for connection in clients:
            connection.close()


@contextmanager
def trickling(server: HttpServer, count: int) -> Iterator[None]:
    """Keep ``count`` clients connected that send a byte of their request every 20 ms, each as long as it is let."""
    ended = threading.Event()

    def trickle() -> None:
        while not ended.is_set():
            with suppress(OSError), socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as client:
                for byte in b"GET /metrics HTTP/1.1\r\nX-Filler: " + b"x" * 100_000:
                    client.send(bytes([byte]))
                    if ended.wait(0.02):
                        break

    threads = [threading.Thread(target=trickle) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_clients_that_send_a_byte_at_a_time_shut_nobody_out(server: HttpServer) -> None:
    with trickling(server, 60):
        for _ in range(50):
            assert request(server, "/readyz") == (200, b"ready\n")


def test_the_time_for_a_whole_request_is_limited_however_often_a_byte_arrives(daemon: _Daemon) -> None:
    with (
        HttpServer(port=0, metrics=daemon.metrics, unready_reason=daemon.unready_reason, request_s=0.3) as server,
        socket.create_connection((server.host, server.port), timeout=0.02) as client,
    ):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                client.send(b"x")
                if client.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            pytest.fail("still connected")


def test_a_client_that_does_not_read_the_answer_is_disconnected(daemon: _Daemon) -> None:
    answers = HttpServer(port=0, metrics=lambda: bytes(50_000_000), unready_reason=daemon.unready_reason, request_s=0.3)
    with answers as server, socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        time.sleep(1)
        received = 0
        with suppress(ConnectionResetError):
            while part := client.recv(1_000_000):
                received += len(part)
        assert received < 50_000_000


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("", False),
    ],
)
def test_which_clients_are_on_this_machine(address: str, local: bool) -> None:
    assert is_loopback(address) is local


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a second loopback address")
def test_clients_of_other_machines_leave_places_for_this_one(daemon: _Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    # All addresses of a test are loopback ones: those of 127.0.0.2 stand for another machine.
    monkeypatch.setattr("service.ops.http.is_loopback", lambda address: address == "127.0.0.1")
    with HttpServer(port=0, metrics=daemon.metrics, unready_reason=daemon.unready_reason) as server:
        local = socket.create_connection((server.host, server.port), timeout=PATIENCE_S)
        others = [
            socket.create_connection((server.host, server.port), timeout=PATIENCE_S, source_address=("127.0.0.2", 0))
            for _ in range(60)
        ]
        local.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        assert local.recv(12) == b"HTTP/1.0 200"
        for connection in (local, *others):
            connection.close()


def test_a_process_that_may_open_no_more_files_still_answers(server: HttpServer) -> None:
    with socket.socket() as client, ExitStack() as opened, _few_files():
        while True:
            try:
                opened.enter_context(open(os.devnull, "rb"))
            except OSError:
                break
        client.settimeout(PATIENCE_S)
        client.connect((server.host, server.port))
        client.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.0 200")


@contextmanager
def _few_files() -> Iterator[None]:
    """Let this process open only some more files."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull, "rb") as file:
        resource.setrlimit(resource.RLIMIT_NOFILE, (file.fileno() + 10, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

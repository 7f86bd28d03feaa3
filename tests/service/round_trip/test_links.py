from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest

from service.base.link_errors import LinkLostError
from service.round_trip.links import CHUNK_BYTES, Link, SerialLink, TcpLink

pytestmark = pytest.mark.skipif(os.name != "posix", reason="ptys are a thing of POSIX")


def until_full(link: Link) -> None:
    for _ in range(100_000):
        link.write(bytes(CHUNK_BYTES))


@pytest.fixture
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.round_trip.links.WRITE_S", 0.2)


@pytest.mark.usefixtures("_hurried")
def test_serial_port_that_takes_nothing_is_given_up_and_closed_at_once() -> None:
    other_end, port = os.openpty()
    try:
        with (
            SerialLink(os.ttyname(port), 115_200) as link,
            pytest.raises(LinkLostError, match=r"takes nothing for 0.2 s$"),
        ):
            until_full(link)
    finally:
        os.close(other_end)
        os.close(port)


@pytest.mark.usefixtures("_hurried")
def test_socket_that_takes_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with (
            TcpLink("127.0.0.1", server.getsockname()[1]) as link,
            pytest.raises(LinkLostError, match=r"tcp://127.0.0.1:\d+: takes nothing for 0.2 s$"),
        ):
            until_full(link)


@pytest.mark.parametrize("leave", [socket.socket.close, lambda end: end.shutdown(socket.SHUT_WR)])
def test_socket_that_is_closed_at_the_other_end_says_so(leave: Callable[[socket.socket], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, TcpLink("127.0.0.1", server.getsockname()[1]) as link:
        end, _ = server.accept()
        with end:
            end.sendall(b"last words")
            leave(end)
            assert link.read() == b"last words"
            with pytest.raises(LinkLostError, match="closed at the other end"):
                link.read()


def test_read_that_brings_nothing_ends_soon_with_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, TcpLink("127.0.0.1", server.getsockname()[1]) as link:
        assert link.read() == b""

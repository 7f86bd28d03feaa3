from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest

from service.base.link_errors import LinkLostError
from service.round_trip.links import CHUNK_BYTES, Link, SerialLink, TcpLink

pytestmark = pytest.mark.skipif(os.name != "posix", reason="ptys are a thing of POSIX")


def write_until_full(link: Link) -> None:
    for _ in range(100_000):
        link.write(bytes(CHUNK_BYTES))


def test_stuck_serial_port_is_an_error_and_closed_at_once() -> None:
    other_end, port = os.openpty()
    try:
        with (
            SerialLink(os.ttyname(port), 115_200, write_s=0.2) as link,
            pytest.raises(LinkLostError, match=r"accepts no data for 0.2 s$"),
        ):
            write_until_full(link)
    finally:
        os.close(other_end)
        os.close(port)


def test_stuck_socket_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with (
            TcpLink("127.0.0.1", server.getsockname()[1], write_s=0.2) as link,
            pytest.raises(LinkLostError, match=r"tcp://127.0.0.1:\d+: accepts no data for 0.2 s$"),
        ):
            write_until_full(link)


@pytest.mark.parametrize("close", [socket.socket.close, lambda end: end.shutdown(socket.SHUT_WR)])
def test_socket_closed_at_the_other_end_is_an_error_after_its_last_bytes(
    close: Callable[[socket.socket], object],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, TcpLink("127.0.0.1", server.getsockname()[1]) as link:
        end, _ = server.accept()
        with end:
            end.sendall(b"last bytes")
            close(end)
            assert link.read() == b"last bytes"
            with pytest.raises(LinkLostError, match="closed at the other end"):
                link.read()


def test_read_without_data_ends_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, TcpLink("127.0.0.1", server.getsockname()[1]) as link:
        assert link.read() == b""

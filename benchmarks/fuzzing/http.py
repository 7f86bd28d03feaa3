"""The decoder of HTTP requests: a real server on loopback, one connection for each input."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.fuzzing.decoder import NUMBERS, Decoder
from service.ops.http import HttpServer

_SEEDS = (
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"HEAD /readyz HTTP/1.0\r\nAccept: */*\r\n\r\n",
    b"GET /healthz?x=%00 HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
)
_TOKENS = (
    b"\r\n",
    b"\n",
    b" ",
    b":",
    b"\0",
    b"HTTP/1.1",
    b"HTTP/9.9",
    b"HTTP/1.",
    b"X: y\r\n" * 120,
    b"\xff",
    *NUMBERS,
)
_TIMEOUT_S = 20.0


@contextmanager
def http_decoder() -> Iterator[Decoder]:
    """Yield the decoder, with the server running. Every request that is not empty must be answered."""
    with HttpServer(port=0, metrics=lambda: b"stinger_up 1\n", unready_reason=lambda: "starting") as server:
        address = (server.host, server.port)
        yield Decoder("HTTP requests", _SEEDS, lambda data: _request(address, data), 1, _TOKENS)


def _request(address: tuple[str, int], data: bytes) -> None:
    with socket.create_connection(address, _TIMEOUT_S) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while part := client.recv(65_536):
            answer += part
    first = data.partition(b"\n")[0].decode("iso-8859-1").split()
    assert answer or not first, "a request was not answered: its handler failed"

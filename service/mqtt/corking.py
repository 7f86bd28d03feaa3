"""Sending several messages in one packet of the network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

_CORK: Final[int | None] = getattr(socket, "TCP_CORK", None)  # Linux only


@contextmanager
def corked(sock: socket.socket | None) -> Iterator[None]:
    """Have the system send what is written to ``sock`` within this context together, at its end at the latest.

    Sending is most of what a small message costs, on both sides. Without effect where the system cannot do this.
    """
    if sock is None or _CORK is None:
        yield
        return
    with suppress(OSError):  # no TCP, or closed
        sock.setsockopt(socket.IPPROTO_TCP, _CORK, 1)
    try:
        yield
    finally:
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _CORK, 0)

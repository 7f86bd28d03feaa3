"""Where a device is, as a user writes it: a serial port or a socket."""

from __future__ import annotations

from urllib.parse import urlsplit

from stinger.errors import InputError

TCP_FORM = "tcp://host:port with a port from 1 to 65535"


def tcp_address(rest: str) -> tuple[str, int]:
    """Host and port of what stands behind ``tcp:``. Raises :class:`InputError`.

    >>> tcp_address("//blaster-7.local:5000")
    ('blaster-7.local', 5000)
    """
    try:
        parts = urlsplit(f"tcp:{rest}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{error}: expected {TCP_FORM}") from error
    if not host or not port or parts.path.strip("/"):
        raise InputError(f"expected {TCP_FORM}")
    if parts.username is not None:
        raise InputError("a socket takes no user and password: expected tcp://host:port")
    return host, port

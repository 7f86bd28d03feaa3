"""Network addresses as a user writes them."""

from __future__ import annotations

from urllib.parse import urlsplit

from stinger.errors import InputError

TCP_FORM = "tcp://host:port with a port from 1 to 65535"


def tcp_address(rest: str) -> tuple[str, int]:
    """Return host and port of the part of a URL after ``tcp:``.

    Raises :class:`InputError`, which does not repeat the address: it may hold a password.

    >>> tcp_address("//blaster-7.local:5000")
    ('blaster-7.local', 5000)
    """
    try:
        parts = urlsplit(f"tcp:{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InputError(f"expected {TCP_FORM}") from None
    if parts.username is not None:
        raise InputError("a socket takes no user and password: expected tcp://host:port")
    if not host or not is_host(host) or not port or parts.path.strip("/"):
        raise InputError(f"expected {TCP_FORM}")
    return host, port


def is_host(text: str) -> bool:
    """Return whether ``text`` can be the name or address of a host: printable, without spaces, encodable for DNS."""
    try:
        return text.isprintable() and " " not in text and bool(text.encode("idna"))
    except UnicodeError:
        return False

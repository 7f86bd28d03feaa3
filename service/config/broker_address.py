"""Where the broker is and how to log in: ``mqtt://user@host:1883``, ``mqtts://host:8883``, ``embedded``."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from service.config.addresses import is_host
from stinger.errors import FileError, InputError
from stinger.files import StrPath, read_bytes

Scheme = Literal["embedded", "mqtt", "mqtts"]

PASSWORD_VARIABLE: Final = "STINGER_BROKER_PASSWORD"  # noqa: S105 - its name
"""The environment variable that holds the password at the broker."""
LOOPBACK: Final = "127.0.0.1"

_EXPECTED: Final = "expected embedded, mqtt://HOST:PORT or mqtts://HOST:PORT"
_MAX_PORT: Final = 65_535
_PORTS: Final[dict[Scheme, int]] = {"mqtt": 1883, "mqtts": 8883}
_MAX_PASSWORD_BYTES: Final = 4096
_MAX_FILE_BYTES: Final = 16_000_000
_DECODED_MARK: Final = "\ufeff"
_BYTE_ORDER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """A parsed broker URL. It holds no password."""

    text: str = field(compare=False)
    """The URL as the user wrote it."""
    scheme: Scheme
    """``embedded``: the daemon starts the broker itself. ``mqtts``: over TLS."""
    host: str
    port: int
    """0, for an embedded broker only: any free port."""
    user: str | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A broker and the credentials for it. ``str`` and ``repr`` do not show the password."""

    host: str
    port: int
    """0, for an embedded broker only: any free port."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    embedded: bool = False
    """Whether it is the broker inside a daemon."""

    def __str__(self) -> str:
        if self.embedded:
            return f"embedded:{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user is not None else ""
        return f"{'mqtt' if self.tls is None else 'mqtts'}://{user}{host}:{self.port}"


def parse_broker_url(text: str) -> BrokerUrl:
    """Return the parsed ``text``.

    Raises :class:`InputError`. Its message never repeats the text, as a password may be anywhere in it.

    >>> parse_broker_url("mqtts://hall.local").port
    8883
    """
    embedded, colon, written = text.partition(":")
    if embedded == "embedded":
        return BrokerUrl(text, "embedded", LOOPBACK, _port(written, lowest=0) if colon else _PORTS["mqtt"])
    try:
        parts = urlsplit(text)
        host, user, password = parts.hostname or "", parts.username, parts.password
    except ValueError:
        raise InputError(_EXPECTED) from None
    if password is not None:
        raise InputError(
            f"a password in a URL is shown in many places: use broker.password_file or {PASSWORD_VARIABLE} instead"
        )
    scheme = next((known for known in _PORTS if known == parts.scheme), None)
    if scheme is None:
        raise InputError(_EXPECTED)
    if not is_host(host) or not text.isprintable() or text.strip() != text:
        raise InputError(f"no host in it, or one that cannot exist: {_EXPECTED}")
    if parts.path not in ("", "/") or "?" in text or "#" in text:
        raise InputError(f"nothing may follow the port: {_EXPECTED}")
    _, colon, written = parts.netloc.rpartition("@")[2].rpartition("]")[2].rpartition(":")
    port = _port(written, lowest=1) if colon and written else _PORTS[scheme]
    return BrokerUrl(text, scheme, host, port, unquote(user) if user else None)


def _port(text: str, *, lowest: int) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not lowest <= int(text) <= _MAX_PORT:
        raise InputError(f"the port is not a number from {lowest} to {_MAX_PORT}: {_EXPECTED}")
    return int(text)


def read_password(path: StrPath) -> str:
    """Return the password in the file at ``path``: its first line, without the line end and a byte order mark.

    Raises :class:`FileError` for a file that cannot be read, is not UTF-8, or has no password.
    """
    first, _, _ = read_bytes(path, at_most=_MAX_FILE_BYTES).partition(b"\n")
    if first.startswith(_BYTE_ORDER_MARKS):
        raise FileError(path, "is UTF-16, expected UTF-8", place="byte 0")
    if len(first) > _MAX_PASSWORD_BYTES:
        raise FileError(path, f"is too long for a password: more than {_MAX_PASSWORD_BYTES:,} bytes", place="line 1")
    try:
        password = clean_password(first.decode())
    except UnicodeDecodeError as error:
        raise FileError(path, "is not UTF-8 text", place=f"byte {error.start}") from error
    if not password:
        raise FileError(path, "has no password in its first line", place="line 1")
    return password


def clean_password(text: str) -> str:
    """Return a password without the byte order mark and the line end that it may have from the file where it was stored."""
    return text.removeprefix(_DECODED_MARK).rstrip("\r\n")


def tls_context(ca: StrPath | None, cert: StrPath | None, key: StrPath | None) -> ssl.SSLContext:
    """Return the settings for TLS, read from PEM files.

    ``ca`` holds the certificates that the broker's is checked against (None: the system's), ``cert`` and ``key`` are
    the client's own. Raises :class:`FileError` for a file that cannot be used.
    """
    for path in (ca, cert, key):
        if path is not None:
            read_bytes(path, at_most=_MAX_FILE_BYTES)  # its errors name the file, those of the ssl module do not
    context = ssl.create_default_context(cafile=None if ca is None else _loadable_ca(ca))
    if cert is not None:
        _load_client_certificate(context, cert, key)
    return context


def _loadable_ca(path: StrPath) -> str:
    try:
        ssl.create_default_context(cafile=os.fspath(path))
    except ssl.SSLError as error:
        raise FileError(path, "has no certificate in PEM format") from error
    return os.fspath(path)


def _load_client_certificate(context: ssl.SSLContext, cert: StrPath, key: StrPath | None) -> None:
    def refuse_encrypted() -> str:
        raise InputError(f"{os.fspath(key or cert)}: the key is encrypted, expected one that is not")

    try:
        context.load_cert_chain(cert, key, password=refuse_encrypted)
    except ssl.SSLError as error:
        raise FileError(cert, f"and its key cannot be used: {error.reason or error}") from error

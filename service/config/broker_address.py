"""Where the broker is and how to be let in: ``mqtt://user@host:1883``, ``mqtts://host:8883``, ``embedded``."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from stinger.errors import FileError, InputError
from stinger.files import StrPath, read_bytes

PASSWORD_VARIABLE = "STINGER_BROKER_PASSWORD"  # noqa: S105 - its name
EMBEDDED = "embedded"
LOOPBACK = "127.0.0.1"
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A broker and how to be let in. Shown as text it is without its password."""

    host: str
    port: int
    """0 for an embedded broker: any that is free."""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    embedded: bool = False
    """The broker is to be started inside this process."""

    def __str__(self) -> str:
        if self.embedded:
            return f"{EMBEDDED}:{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user is not None else ""
        return f"{'mqtt' if self.tls is None else 'mqtts'}://{user}{host}:{self.port}"


def parse_broker(
    url: str,
    *,
    password_file: StrPath | None = None,
    ca_file: StrPath | None = None,
    cert_file: StrPath | None = None,
    key_file: StrPath | None = None,
    environment: Mapping[str, str] = os.environ,
) -> BrokerAddress:
    """What ``url`` and the options beside it say.

    The password is the first line of ``password_file``, or else that of the variable ``STINGER_BROKER_PASSWORD``. The other
    files are PEM: who vouches for the broker (else the system's own list), and the client's certificate and key. Raises
    :class:`InputError` for what does not fit together, :class:`FileError` for a file that cannot be used.
    """
    given_tls = [path for path in (ca_file, cert_file, key_file) if path is not None]
    if url == EMBEDDED or url.startswith(f"{EMBEDDED}:"):
        if given_tls or password_file is not None:
            raise InputError(
                "the embedded broker takes no certificates and no password: use a broker of its own for that"
            )
        port = _port(url.removeprefix(EMBEDDED).removeprefix(":") or "1883", lowest=0)
        return BrokerAddress(LOOPBACK, port, embedded=True)
    scheme, user, host, port = _split(url)
    if scheme == "mqtt" and given_tls:
        raise InputError("certificates need an encrypted connection: write mqtts:// instead of mqtt://")
    password = _password(password_file, environment)
    if password is not None and user is None:
        raise InputError("a password without a user: put the user into the broker's URL, as in mqtt://user@host")
    tls = _tls(ca_file, cert_file, key_file) if scheme == "mqtts" else None
    return BrokerAddress(host, port, user, password, tls)


def _split(url: str) -> tuple[str, str | None, str, int]:
    """Scheme, user, host and port. No error of this shows what might be a password."""
    try:
        parts = urlsplit(url)
        netloc, host = parts.netloc, parts.hostname
    except ValueError as error:
        raise InputError(f"broker: {error}") from error
    if parts.password is not None or ":" in netloc.rpartition("@")[0]:
        raise InputError(f"broker: no password in the URL, where others can read it: use a file or {PASSWORD_VARIABLE}")
    if parts.scheme not in _PORTS:
        raise InputError(f"broker {url!r}: write mqtt://host[:port], mqtts://host[:port] or {EMBEDDED}")
    if not host:
        raise InputError(f"broker {url!r}: no host in it")
    if not _is_host(host):
        raise InputError(f"broker {url!r}: {host!r} is no host")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise InputError(f"broker {url!r}: nothing may follow the port")
    rest = netloc.rpartition("@")[2]
    port = rest.rpartition(":")[2] if ":" in rest.rpartition("]")[2] else ""
    user = unquote(parts.username) if parts.username else None
    return parts.scheme, user, host, _port(port, lowest=1) if port else _PORTS[parts.scheme]


def _is_host(host: str) -> bool:
    try:
        return host.isprintable() and bool(host.encode("idna"))
    except UnicodeError:
        return False


def _port(text: str, *, lowest: int) -> int:
    if not (text.isascii() and text.isdigit() and lowest <= int(text) <= _MAX_PORT):
        raise InputError(f"broker: port {text!r} is not a number from {lowest} to {_MAX_PORT}")
    return int(text)


def _password(path: StrPath | None, environment: Mapping[str, str]) -> str | None:
    if path is None:
        return environment.get(PASSWORD_VARIABLE) or None
    try:
        lines = read_bytes(path).decode().splitlines()
    except UnicodeDecodeError as error:
        raise FileError(path, "is not UTF-8 text", place=f"byte {error.start}") from error
    if not lines or not lines[0]:
        raise FileError(path, "holds no password in its first line", place="line 1")
    return lines[0]


def _tls(ca: StrPath | None, cert: StrPath | None, key: StrPath | None) -> ssl.SSLContext:
    if key is not None and cert is None:
        raise InputError("a key without its certificate: give the client's certificate too")
    for path in (ca, cert, key):
        if path is not None:
            read_bytes(path)
    context = ssl.create_default_context(cafile=None if ca is None else _loadable_ca(ca))
    if cert is not None:
        _load_client_certificate(context, cert, key)
    return context


def _loadable_ca(path: StrPath) -> str:
    try:
        ssl.create_default_context(cafile=os.fspath(path))
    except ssl.SSLError as error:
        raise FileError(path, "holds no certificate in PEM format") from error
    return os.fspath(path)


def _load_client_certificate(context: ssl.SSLContext, cert: StrPath, key: StrPath | None) -> None:
    def no_passphrase() -> str:
        raise InputError(f"{os.fspath(key or cert)}: the key is encrypted; give one that is not")

    try:
        context.load_cert_chain(cert, key, password=no_passphrase)
    except ssl.SSLError as error:
        raise FileError(cert, f"and its key cannot be used: {error.reason or error}") from error

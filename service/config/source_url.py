"""Source URLs: where the daemon's samples come from, parsed once where the configuration is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Final
from urllib.parse import unquote

from service.config.addresses import tcp_address
from service.config.url_options import UrlOptions
from stinger.device_name import DeviceName
from stinger.errors import InputError
from stinger.files import home_resolved
from stinger.wording import without_user

FORMS: Final = "serial:///dev/ttyACM0, serial://COM3, serial://auto, tcp://host:port, replay:PATH, mqtt: or nats://host?stream=NAME"

_AUTO_DEVICE: Final = "blaster"
_NATS_PORT: Final = 4222
_MOST_PARTITIONS: Final = 1024
_MOST_REPLICAS: Final = 5
_DEFAULT_PARTITIONS: Final = 16


@dataclass(frozen=True, slots=True)
class _SourceUrl:
    text: str = field(compare=False)
    """The URL as the user wrote it."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class SerialUrl(_SourceUrl):
    """``serial:///dev/ttyACM0``, ``serial://COM3`` or ``serial://auto``: a blaster at a serial port."""

    device: DeviceName
    path: str | None
    """Path or name of the port; None for ``auto``, the first port with a blaster's USB identity."""
    baud: int | None
    """Baud rate; None for the default of serial adapters."""


@dataclass(frozen=True, slots=True)
class TcpUrl(_SourceUrl):
    """``tcp://host:port``: a blaster behind a socket."""

    device: DeviceName
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ReplayUrl(_SourceUrl):
    """``replay:PATH``: a recording."""

    device: DeviceName
    path: Path
    speed: float
    """Seconds of the recording played in a second; 0 for as fast as possible."""
    loops: int | None
    """How often the recording is played again after the first time; None for ever."""


@dataclass(frozen=True, slots=True)
class MqttUrl(_SourceUrl):
    """``mqtt:``: every blaster that publishes its samples to the daemon's broker."""


@dataclass(frozen=True, slots=True)
class NatsUrl(_SourceUrl):
    """``nats://HOST:4222,HOST:4222?stream=NAME``: the blasters of a stream.

    The daemons of a group share them.
    """

    servers: tuple[tuple[str, int], ...]
    """Host and port of servers of one cluster, at least one; the others are learned from them."""
    stream: str
    partitions: int
    """Number of partitions that the server divides the blasters into."""
    group: str
    """Name that the daemons which share the partitions have in common."""
    replicas: int
    """Number of servers that keep the group's leases, and the stream if the daemon creates it."""
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    """Certificates of authorities that may have signed the servers' certificates; None for no TLS."""
    cert_file: Path | None = None
    key_file: Path | None = None


DeviceUrl = SerialUrl | TcpUrl | ReplayUrl
"""A source of one device."""
SharedUrl = MqttUrl | NatsUrl
"""A source of many devices, whose names it learns from what they publish."""
SourceUrl = DeviceUrl | SharedUrl


def parse_source_urls(texts: Sequence[str]) -> tuple[SourceUrl, ...]:
    """Return the parsed ``texts``, in their order.

    Raises :class:`InputError`, with the URL, for the first one that is wrong, and for two sources of the same device.
    """
    urls: list[SourceUrl] = []
    taken: dict[str, str] = {}
    for text in texts:
        shown = f"{without_user(text)!r:.160}"
        try:
            url = parse_source_url(text)
        except InputError as error:
            raise InputError(f"{shown}: {error}") from None
        name = "shared" if isinstance(url, SharedUrl) else url.device
        if name in taken:
            if isinstance(url, SharedUrl):
                if taken[name] == shown:
                    raise InputError(f"{shown} is given twice: once is enough")
                raise InputError(f"{shown}: {taken[name]} brings blasters as well: choose one source of many blasters")
            raise InputError(f"{shown}: {taken[name]} is called {name} as well: name one of them with ?device=NAME")
        taken[name] = shown
        urls.append(url)
    return tuple(urls)


def parse_source_url(text: str) -> SourceUrl:
    """Return the parsed ``text``, without opening anything: whether a port or file exists is not checked.

    Raises :class:`InputError`, without the URL, for an unknown kind of source, for a part that is missing or out of
    range, and for an option that this kind of source does not have.
    """
    scheme, colon, rest = text.partition(":")
    parse = _PARSERS.get(scheme.lower())
    if not colon or parse is None:
        raise InputError(f"unknown kind of source: expected {FORMS}" if colon else f"expected {FORMS}")
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise InputError("a control character in the URL: write it as a percent escape, such as %0A")
    rest, _, query = rest.partition("?")
    options = UrlOptions(query)
    url = parse(text, rest, options)
    options.refuse_others(scheme.lower())
    return url


def _path(text: str) -> str:
    path = unquote(text)
    if "\0" in path:
        raise InputError("a path cannot contain a NUL character")
    return path


def _serial(text: str, rest: str, options: UrlOptions) -> SerialUrl:
    if not rest.startswith("//") or not rest.strip("/"):
        raise InputError("expected a port, such as serial:///dev/ttyACM0, serial://COM3 or serial://auto")
    path = _path(rest[2:])
    auto = path.lower() == "auto"
    device = options.device(_AUTO_DEVICE if auto else PurePath(path).name)
    return SerialUrl(text, device, None if auto else path, options.baud())


def _tcp(text: str, rest: str, options: UrlOptions) -> TcpUrl:
    host, port = tcp_address(rest)
    return TcpUrl(text, options.device(f"{host}-{port}"), host, port)


def _replay(text: str, rest: str, options: UrlOptions) -> ReplayUrl:
    if not rest.strip("/"):
        raise InputError("expected the path of a recording, such as replay:ml_log.bin?speed=1")
    path = home_resolved(_path(rest))
    return ReplayUrl(text, options.device(path.stem), path, options.speed(), options.loops())


def _mqtt(text: str, rest: str, _options: UrlOptions) -> MqttUrl:
    if rest:
        raise InputError(
            "samples come from the daemon's own broker: write mqtt: alone, set the broker with --broker or broker.url, "
            "and its password with broker.password_file"
        )
    return MqttUrl(text)


def _mqtts(_text: str, _rest: str, _options: UrlOptions) -> MqttUrl:
    raise InputError(
        "samples come from the daemon's own broker: write mqtt:, set the broker with --broker mqtts://host or broker.url, "
        "and its password with broker.password_file"
    )


def _nats(text: str, rest: str, options: UrlOptions) -> NatsUrl:
    if "@" in rest:
        raise InputError("write the user as user=NAME after the ?, and the password into a file, password_file=PATH")
    if not rest.startswith("//") or not rest.strip("/"):
        raise InputError("expected a server, such as nats://host:4222?stream=SAMPLES")
    stream = options.name("stream")
    url = NatsUrl(
        text,
        servers=tuple(_nats_server(server) for server in rest[2:].rstrip("/").split(",")),
        stream=stream,
        partitions=options.whole("partitions", 1, _MOST_PARTITIONS, _DEFAULT_PARTITIONS),
        group=options.name("group", "stinger"),
        replicas=options.whole("replicas", 1, _MOST_REPLICAS, 1),
        user=options.text("user"),
        password_file=options.file("password_file"),
        ca_file=options.file("ca_file"),
        cert_file=options.file("cert_file"),
        key_file=options.file("key_file"),
    )
    if (url.user is None) != (url.password_file is None):
        raise InputError("user and password_file belong together: give both or neither")
    if url.ca_file is None and (url.cert_file or url.key_file):
        raise InputError("certificates need TLS: give ca_file as well")
    return url


def _nats_server(text: str) -> tuple[str, int]:
    try:
        return tcp_address(f"//{text}" if re.search(r":[0-9]*\Z", text) else f"//{text}:{_NATS_PORT}")
    except InputError:
        raise InputError("expected servers as HOST or HOST:PORT, with a port from 1 to 65535") from None


_PARSERS: Final[dict[str, Callable[[str, str, UrlOptions], SourceUrl]]] = {
    "serial": _serial,
    "tcp": _tcp,
    "replay": _replay,
    "mqtt": _mqtt,
    "mqtts": _mqtts,
    "nats": _nats,
}
KINDS: Final = ", ".join(f"{scheme}:" for scheme in _PARSERS if scheme != "mqtts")
"""The kinds of sources, for a help text."""

"""Source URLs: where the daemon's samples come from, parsed once where the configuration is read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Final
from urllib.parse import parse_qsl, unquote

from service.config.addresses import tcp_address
from stinger.device_name import DeviceName, make_device_name, parse_device_name
from stinger.errors import InputError
from stinger.files import home_resolved
from stinger.wording import without_user

FORMS: Final = "serial:///dev/ttyACM0, serial://COM3, serial://auto, tcp://host:port, replay:PATH, mqtt: or nats://host?stream=NAME"

_LOWEST_BAUD: Final = 50
_HIGHEST_BAUD: Final = 12_000_000
_MOST_LOOPS: Final = 1_000_000
_LOWEST_SPEED: Final = 0.001
_HIGHEST_SPEED: Final = 1000.0
_AUTO_DEVICE: Final = "blaster"
_NATS_PORT: Final = 4222
_MOST_PARTITIONS: Final = 1024
_MOST_REPLICAS: Final = 5
_DEFAULT_PARTITIONS: Final = 16
_STREAM_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


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
    """``nats://HOST:4222,HOST:4222?stream=NAME``: the blasters of a stream, shared with the other daemons of a group."""

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
    options = _Options(query)
    url = parse(text, rest, options)
    options.refuse_others(scheme.lower())
    return url


class _Options:
    """The options after the ``?``. Each kind of source takes its own, then :meth:`refuse_others` refuses the rest."""

    def __init__(self, query: str) -> None:
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
        except ValueError as error:
            raise InputError(f"{query!r:.80} after the ?: expected name=value&name=value") from error
        self._values = dict(pairs)
        if len(self._values) < len(pairs):
            raise InputError(f"{query!r:.80} has an option twice")
        self._known: list[str] = []

    def refuse_others(self, scheme: str) -> None:
        """Raise :class:`InputError` if there is an option that was not taken."""
        unknown = self._values.keys() - set(self._known)
        if unknown:
            known = f"it has {', '.join(self._known)}" if self._known else "it has none"
            raise InputError(f"{scheme}: has no option {min(unknown)!r:.40}: {known}")

    def device(self, default: str) -> DeviceName:
        given = self._take("device")
        return make_device_name(default) if given is None else parse_device_name(given)

    def baud(self) -> int | None:
        given = self._take("baud")
        return None if given is None else _whole("baud", given, _LOWEST_BAUD, _HIGHEST_BAUD)

    def speed(self) -> float:
        given = self._take("speed")
        if given is None:
            return 1.0
        try:
            speed = float(given)
        except ValueError:
            speed = math.nan
        if not (speed == 0 or _LOWEST_SPEED <= speed <= _HIGHEST_SPEED):
            raise InputError(
                f"speed {given!r:.40}: expected {_LOWEST_SPEED:g} to {_HIGHEST_SPEED:g}, where 1 is the recording's own "
                "speed, or 0 for as fast as possible"
            )
        return speed

    def loops(self) -> int | None:
        given = self._take("loop")
        if given == "forever":
            return None
        return 0 if given is None else _whole("loop", given, 0, _MOST_LOOPS)

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        given = self._take(name)
        return default if given is None else _whole(name, given, low, high)

    def name(self, name: str, default: str | None = None) -> str:
        given = self._take(name)
        given = default if given is None else given
        if given is None:
            raise InputError(f"expected {name}=NAME after the ?")
        if not _STREAM_NAME.fullmatch(given):
            raise InputError(f"{name} {given!r:.80}: expected 1 to 64 letters, digits, _ or -")
        return given

    def text(self, name: str) -> str | None:
        given = self._take(name)
        if given is not None and (not given or not given.isprintable()):
            raise InputError(f"{name} is empty or does not print")
        return given

    def file(self, name: str) -> Path | None:
        given = self.text(name)
        return None if given is None else home_resolved(given)

    def _take(self, name: str) -> str | None:
        self._known.append(name)
        return self._values.get(name)


def _whole(name: str, text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise InputError(f"{name} {text!r:.40}: expected a whole number from {low:,} to {high:,}")
    return int(text)


def _path(text: str) -> str:
    path = unquote(text)
    if "\0" in path:
        raise InputError("a path cannot contain a NUL character")
    return path


def _serial(text: str, rest: str, options: _Options) -> SerialUrl:
    if not rest.startswith("//") or not rest.strip("/"):
        raise InputError("expected a port, such as serial:///dev/ttyACM0, serial://COM3 or serial://auto")
    path = _path(rest[2:])
    auto = path.lower() == "auto"
    device = options.device(_AUTO_DEVICE if auto else PurePath(path).name)
    return SerialUrl(text, device, None if auto else path, options.baud())


def _tcp(text: str, rest: str, options: _Options) -> TcpUrl:
    host, port = tcp_address(rest)
    return TcpUrl(text, options.device(f"{host}-{port}"), host, port)


def _replay(text: str, rest: str, options: _Options) -> ReplayUrl:
    if not rest.strip("/"):
        raise InputError("expected the path of a recording, such as replay:ml_log.bin?speed=1")
    path = home_resolved(_path(rest))
    return ReplayUrl(text, options.device(path.stem), path, options.speed(), options.loops())


def _mqtt(text: str, rest: str, _options: _Options) -> MqttUrl:
    if rest:
        raise InputError(
            "samples come from the daemon's own broker: write mqtt: alone, set the broker with --broker or broker.url, "
            "and its password with broker.password_file"
        )
    return MqttUrl(text)


def _mqtts(_text: str, _rest: str, _options: _Options) -> MqttUrl:
    raise InputError(
        "samples come from the daemon's own broker: write mqtt:, set the broker with --broker mqtts://host or broker.url, "
        "and its password with broker.password_file"
    )


def _nats(text: str, rest: str, options: _Options) -> NatsUrl:
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


_PARSERS: Final[dict[str, Callable[[str, str, _Options], SourceUrl]]] = {
    "serial": _serial,
    "tcp": _tcp,
    "replay": _replay,
    "mqtt": _mqtt,
    "mqtts": _mqtts,
    "nats": _nats,
}
KINDS: Final = ", ".join(f"{scheme}:" for scheme in _PARSERS if scheme != "mqtts")
"""The kinds of sources, for a help text."""

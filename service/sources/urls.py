"""Source URLs, as a user writes them, made into sources."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final
from urllib.parse import parse_qsl, unquote

from service.config.addresses import tcp_address
from service.sources.mqtt_source import MqttSource, Subscription
from service.sources.port_opening import DEFAULT_BAUD
from service.sources.replay_source import ReplaySource
from service.sources.serial_source import SerialSource
from service.sources.tcp_source import TcpSource
from stinger.device_name import DeviceName, make_device_name, parse_device_name
from stinger.errors import InputError
from stinger.files import home_resolved

FORMS: Final = "serial:///dev/ttyACM0, serial://COM3, serial://auto, tcp://host:port, replay:PATH or mqtt:"

_BAUD_MAX: Final = 12_000_000
_LOOPS_MAX: Final = 1_000_000
_SPEED_MIN: Final = 0.001
_SPEED_MAX: Final = 1000.0


DeviceSource = SerialSource | TcpSource | ReplaySource
"""What brings one device, known by name beforehand: its ``device``."""


def parse_sources(urls: Sequence[str], subscribe: Subscription | None = None) -> list[DeviceSource | MqttSource]:
    """The sources that ``urls`` name, in their order; ``subscribe`` is what ``mqtt:`` listens with.

    Raises :class:`InputError` for the first mistake, with the URL; also for two sources of one device.
    """
    sources: list[DeviceSource | MqttSource] = []
    taken: dict[str, str] = {}
    for url in urls:
        source = parse_source(url, subscribe)
        name = "mqtt:" if isinstance(source, MqttSource) else source.device
        if name in taken:
            remedy = "once is enough" if name == "mqtt:" else "name one of them with ?device=NAME"
            raise InputError(f"source '{url}': '{taken[name]}' is called {name} as well: {remedy}")
        taken[name] = url
        sources.append(source)
    return sources


def parse_source(url: str, subscribe: Subscription | None = None) -> DeviceSource | MqttSource:
    """The source that ``url`` names, without opening anything. ``subscribe`` is what ``mqtt:`` listens with.

    Raises :class:`InputError`, with the URL, for an unknown kind, a part that is missing or out of range, and an option
    that this kind does not have. Whether a port or file exists is found out when the source runs.
    """
    try:
        return _parse(url, subscribe)
    except InputError as error:
        raise InputError(f"source '{url}': {error}") from None


def _parse(url: str, subscribe: Subscription | None) -> DeviceSource | MqttSource:
    scheme, colon, rest = url.partition(":")
    rest, _, query = rest.partition("?")
    if not colon:
        raise InputError(f"expected one of {FORMS}")
    options = _Options(query)
    source: DeviceSource | MqttSource
    match scheme.lower():
        case "serial":
            source = _serial(url, rest, options)
        case "tcp":
            source = _tcp(url, rest, options)
        case "replay":
            source = _replay(url, rest, options)
        case "mqtt":
            source = _mqtt(url, rest, subscribe)
        case _:
            raise InputError(f"unknown kind of source '{scheme}': expected one of {FORMS}")
    options.end(scheme)
    return source


def _serial(url: str, rest: str, options: _Options) -> SerialSource:
    if not rest.startswith("//") or not rest.strip("/"):
        raise InputError("expected a port, such as serial:///dev/ttyACM0, serial://COM3 or serial://auto")
    path = unquote(rest[2:])
    auto = path.lower() == "auto"
    device = options.device("blaster" if auto else PurePath(path).name)
    baud = options.whole("baud", DEFAULT_BAUD, 50, _BAUD_MAX)
    return SerialSource(url, device, None if auto else path, baud)


def _tcp(url: str, rest: str, options: _Options) -> TcpSource:
    host, port = tcp_address(rest)
    return TcpSource(url, options.device(f"{host}-{port}"), host, port)


def _replay(url: str, rest: str, options: _Options) -> ReplaySource:
    if not rest.strip("/"):
        raise InputError("expected the path of a recording, such as replay:ml_log.bin?speed=1")
    path = home_resolved(unquote(rest))
    device = options.device(path.stem)
    return ReplaySource(url, device, path, speed=options.speed(), loops=options.loops())


def _mqtt(url: str, rest: str, subscribe: Subscription | None) -> MqttSource:
    if rest:
        raise InputError("it listens on the daemon's own broker: write mqtt: and name the broker with --broker")
    if subscribe is None:
        raise InputError("there is no broker to listen on: name one with --broker")
    return MqttSource(url, subscribe)


class _Options:
    """What stands behind the ``?``; each kind of source takes its own, and :meth:`end` refuses the rest."""

    def __init__(self, query: str) -> None:
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
        except ValueError as error:
            raise InputError(f"'{query}' are no options: expected name=value&name=value") from error
        self._values = dict(pairs)
        if len(self._values) < len(pairs):
            raise InputError(f"'{query}' has an option twice")
        self._known: list[str] = []

    def end(self, scheme: str) -> None:
        """Raise :class:`InputError` if an option is left that nobody has asked for."""
        unknown = self._values.keys() - set(self._known)
        if unknown:
            known = f"it has {', '.join(self._known)}" if self._known else "it has none"
            raise InputError(f"{scheme}: has no option '{min(unknown)}': {known}")

    def device(self, otherwise: str) -> DeviceName:
        given = self._take("device")
        return make_device_name(otherwise) if given is None else parse_device_name(given)

    def whole(self, name: str, otherwise: int, low: int, high: int) -> int:
        given = self._take(name)
        if given is None:
            return otherwise
        if not re.fullmatch(r"[0-9]{1,9}", given) or not low <= int(given) <= high:
            raise InputError(f"{name} '{given}': expected a whole number from {low:,} to {high:,}")
        return int(given)

    def speed(self) -> float:
        given = self._take("speed")
        if given is None:
            return 1.0
        try:
            speed = float(given)
        except ValueError:
            speed = math.nan
        if not (speed == 0 or _SPEED_MIN <= speed <= _SPEED_MAX):
            raise InputError(
                f"speed '{given}': expected {_SPEED_MIN:g} to {_SPEED_MAX:g}, 1 for as it was, or 0 for as fast as possible"
            )
        return speed

    def loops(self) -> int | None:
        if self._values.get("loop") == "forever":
            self._take("loop")
            return None
        return self.whole("loop", 0, 0, _LOOPS_MAX)

    def _take(self, name: str) -> str | None:
        self._known.append(name)
        return self._values.get(name)

"""The options of a source URL, such as ``device`` in ``tcp://host:port?device=b1``."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from stinger.device_name import DeviceName, make_device_name, parse_device_name
from stinger.errors import InputError
from stinger.files import home_resolved

_LOWEST_BAUD: Final = 50
_HIGHEST_BAUD: Final = 12_000_000
_MOST_LOOPS: Final = 1_000_000
_LOWEST_SPEED: Final = 0.001
_HIGHEST_SPEED: Final = 1000.0
_STREAM_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class UrlOptions:
    """The options after the ``?``. Each kind of source takes its own, then :meth:`refuse_others` refuses the rest.

    A method that takes an option raises :class:`InputError` for a value that is wrong.
    """

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
        """Take the name of the device; without one, make a name of ``default``."""
        given = self._take("device")
        return make_device_name(default) if given is None else parse_device_name(given)

    def baud(self) -> int | None:
        """Take the baud rate; None if it is not given."""
        given = self._take("baud")
        return None if given is None else _whole("baud", given, _LOWEST_BAUD, _HIGHEST_BAUD)

    def speed(self) -> float:
        """Take the speed of a replay, 1 if it is not given; 0 is as fast as possible."""
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
        """Take how often a replay is repeated, 0 if it is not given; None is for ever."""
        given = self._take("loop")
        if given == "forever":
            return None
        return 0 if given is None else _whole("loop", given, 0, _MOST_LOOPS)

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        """Take a whole number from ``low`` to ``high``."""
        given = self._take(name)
        return default if given is None else _whole(name, given, low, high)

    def name(self, name: str, default: str | None = None) -> str:
        """Take a name of letters, digits, ``_`` and ``-``; without ``default`` it must be given."""
        given = self._take(name)
        given = default if given is None else given
        if given is None:
            raise InputError(f"expected {name}=NAME after the ?")
        if not _STREAM_NAME.fullmatch(given):
            raise InputError(f"{name} {given!r:.80}: expected 1 to 64 letters, digits, _ or -")
        return given

    def text(self, name: str) -> str | None:
        """Take a text that can be printed; None if it is not given."""
        given = self._take(name)
        if given is not None and (not given or not given.isprintable()):
            raise InputError(f"{name} is empty or does not print")
        return given

    def file(self, name: str) -> Path | None:
        """Take the path of a file; None if it is not given."""
        given = self.text(name)
        return None if given is None else home_resolved(given)

    def _take(self, name: str) -> str | None:
        self._known.append(name)
        return self._values.get(name)


def _whole(name: str, text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise InputError(f"{name} {text!r:.40}: expected a whole number from {low:,} to {high:,}")
    return int(text)

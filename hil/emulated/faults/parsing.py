"""Parses ``NAME:key=value,...`` into a fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from hil.emulated.faults.commands import BadCrc, Busy, Chatter, CutLog, LostEnd, Slow
from hil.emulated.faults.fault import Fault
from hil.emulated.faults.frames import Corrupt, Cut, Drop, Duplicate, Garbage, Reorder, Text
from hil.emulated.faults.power import Reboot, Silent, Unplug
from hil.emulated.faults.sensor import Rate, Saturated, Stuck, Zero
from hil.emulated.faults.timing import Drift, Jitter, Jump, Stall, Wrap
from stinger.errors import InputError

_COMMAND_FAULTS: Final = (BadCrc, LostEnd, Busy, CutLog, Chatter, Slow)

FAULTS: Final[dict[str, type[Fault]]] = {
    kind.__name__.lower(): kind
    for kind in (
        *(Drop, Duplicate, Reorder, Corrupt, Cut, Garbage, Text),
        *(Stall, Jitter, Drift, Jump, Wrap),
        *(Reboot, Unplug, Silent),
        *(Saturated, Stuck, Zero, Rate),
        *_COMMAND_FAULTS,
    )
}
"""Every fault by its name. The first line of its docstring is its description for users."""
COMMAND_FAULTS: Final = frozenset(kind.__name__.lower() for kind in _COMMAND_FAULTS)
"""The names of faults of commands and their answers, which do not affect a host that only reads the stream."""

_COMMON: Final = {"start": "start", "for": "duration", "every": "every"}


def parse_fault(text: str, kinds: Mapping[str, type[Fault]] = FAULTS) -> Fault:
    """Parse a fault of one of ``kinds``, such as ``drop:rate=0.05,start=10,for=5``. Raises :class:`InputError`."""
    name, _, arguments = text.partition(":")
    kind = kinds.get(name)
    if kind is None:
        raise InputError(f"no fault '{name}': expected {', '.join(kinds)}")
    keys = keys_of(kind)
    values: dict[str, float] = {}
    for part in arguments.split(",") if arguments else ():
        key, _, number = part.partition("=")
        if key not in keys:
            raise InputError(f"the fault '{text}' has no '{key}': expected {', '.join(keys)}")
        try:
            values[keys[key]] = float(number)
        except ValueError:
            raise InputError(f"the fault '{text}': {key} is '{number}', expected a number") from None
    try:
        return kind(**values)
    except InputError as error:
        raise InputError(f"the fault '{text}': {error}") from error


def keys_of(kind: type[Fault]) -> dict[str, str]:
    """Return the keys that users write for this kind of fault, with the parameters that they set."""
    own = {field.name: field.name for field in fields(kind) if field.init and field.name not in _COMMON.values()}
    return own | _COMMON

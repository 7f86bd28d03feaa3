"""From ``NAME:key=value,...`` to a fault."""

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

_OF_COMMANDS: Final = (BadCrc, LostEnd, Busy, CutLog, Chatter, Slow)

FAULTS: Final[dict[str, type[Fault]]] = {
    kind.__name__.lower(): kind
    for kind in (
        *(Drop, Duplicate, Reorder, Corrupt, Cut, Garbage, Text),
        *(Stall, Jitter, Drift, Jump, Wrap),
        *(Reboot, Unplug, Silent),
        *(Saturated, Stuck, Zero, Rate),
        *_OF_COMMANDS,
    )
}
"""Every fault by its name. The first line of its docstring is what a user is told."""
COMMAND_FAULTS: Final = frozenset(kind.__name__.lower() for kind in _OF_COMMANDS)
"""Those of :data:`FAULTS` that happen to commands and their answers, and that a host which only takes the stream never meets."""

_COMMON: Final = {"start": "start", "for": "lasts", "every": "every"}


def parse_fault(text: str, kinds: Mapping[str, type[Fault]] = FAULTS) -> Fault:
    """The fault that ``text`` describes, such as ``drop:rate=0.05,start=10,for=5``: one of ``kinds``.

    Raises :class:`InputError`.
    """
    name, _, arguments = text.partition(":")
    kind = kinds.get(name)
    if kind is None:
        raise InputError(f"there is no fault '{name}': expected {', '.join(kinds)}")
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
    """The keys that a user gives for this kind of fault, and the parameters that they set."""
    own = {field.name: field.name for field in fields(kind) if field.init and field.name not in _COMMON.values()}
    return own | _COMMON

"""A scenario: what is played, what goes wrong meanwhile, and within which limits a daemon has to come through it."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

from hil.bench.bench_faults import BENCH_FAULTS, BenchFault
from hil.bench.workload import SYNTHETIC
from hil.emulated.faults import FAULTS, parse_fault
from hil.emulated.faults.fault import Fault
from hil.limits import Limit
from hil.measuring.definitions import MEASUREMENTS, default_limits
from stinger.cli.options import MAX_SEED
from stinger.errors import FileError, InputError
from stinger.files import read_bytes

MAX_DEVICES: Final = 1000
MAX_SECONDS: Final = 366 * 86_400.0
AFTERWARDS_S: Final = 1.5
"""After its last fault has ended, a scenario goes on for at least so long: a daemon tells of its counts once a second."""

_LINKS: Final = ("pty", "tcp")
_MAX_BYTES: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """``faults`` happen to every device, ``bench_faults`` to all that is around it. ``limits`` are by measurement.

    ``alone`` asks for the machine for itself, as what it measures depends on that. ``floor`` has the bench measure
    beside it what a path without a daemon takes. ``recording`` is a path, or ``synthetic``; with ``shots`` the stretch
    of it with the most of them is played, rather than its beginning. ``any_device`` says that a device whose samples
    nobody knows beforehand, such as a real one, will do.
    """

    name: str
    title: str
    seconds: float = 8.0
    devices: int = 1
    link: str = "pty"
    recording: str = SYNTHETIC
    seed: int = 1
    faults: Sequence[str] = ()
    limits: Mapping[str, Limit]
    scores: bool = True
    alone: bool = False
    floor: bool = False
    any_device: bool = False
    shots: bool = True
    default: bool = True
    """Whether it is in the set that runs when none is named."""

    def device_faults(self) -> dict[str, Fault]:
        """Those that the device is told of, by their text."""
        return {text: parse_fault(text) for text in self.faults if fault_kind(text) in FAULTS}

    def bench_faults(self) -> dict[str, BenchFault]:
        """Those that the bench causes, by their text, in the order in which they begin."""
        found: dict[str, BenchFault] = {}
        for text in self.faults:
            fault = parse_fault(text, {**FAULTS, **BENCH_FAULTS})
            if isinstance(fault, BenchFault):
                found[text] = fault
        return dict(sorted(found.items(), key=lambda each: each[1].start))

    def bench_fault_kinds(self) -> set[str]:
        """The names of those."""
        return {fault_kind(text) for text in self.bench_faults()}

    def lasting(self, seconds: float) -> Scenario:
        """The same over another time. Raises :class:`InputError` if its faults do not fit in."""
        changed = replace(self, seconds=seconds)
        _check_time(changed)
        return changed

    def seeded(self, seed: int) -> Scenario:
        """The same with other chance, and another synthetic session."""
        return replace(self, seed=seed)


def fault_kind(text: str) -> str:
    """The name of the fault that ``text`` describes."""
    return text.partition(":")[0]


def shipped_scenarios() -> dict[str, Scenario]:
    """Those that come with the program, by name."""
    folder = resources.files("hil") / "scenarios"
    found = sorted((entry.name, entry) for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return {
        name.removesuffix(".toml"): parse_scenario(entry.read_bytes(), name=name.removesuffix(".toml"), place=name)
        for name, entry in found
    }


def find_scenario(named: str) -> Scenario:
    """The shipped scenario of that name, or the one in that file. Raises :class:`InputError`."""
    shipped = shipped_scenarios()
    if named in shipped:
        return shipped[named]
    path = Path(named)
    if path.suffix != ".toml":
        raise InputError(f"there is no scenario '{named}': 'stinger hil list' shows all, FILE.toml is one of your own")
    scenario = parse_scenario(read_bytes(path, at_most=_MAX_BYTES), name=path.stem, place=named)
    if scenario.recording == SYNTHETIC:
        return scenario
    return replace(scenario, recording=str(path.parent / scenario.recording))


def parse_scenario(data: bytes, *, name: str, place: str) -> Scenario:
    """The scenario that a TOML file ``data`` describes. ``place`` is the file, for errors: :class:`FileError`."""
    try:
        values = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FileError(place, f"is no TOML: {error}") from error
    try:
        return _scenario(name, values)
    except InputError as error:
        raise FileError(place, str(error)) from error


def _scenario(name: str, values: dict[str, Any]) -> Scenario:
    journal = values.get("any_device") is not True
    read: dict[str, Any] = {"limits": _limits(values.pop("limits", {}), default_limits(journal=journal))}
    for key, value in values.items():
        kind = _TYPES.get(key)
        if kind is None:
            raise InputError(f"unknown key {key}: expected {', '.join([*_TYPES, 'limits'])}")
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)  # noqa: PLW2901 - TOML tells 8 from 8.0
        if type(value) is not kind:
            raise InputError(f"{key}: expected {_SHOWN[kind]}, not {value!r:.60}")
        read[key] = value
    if not read.get("title", "").strip():
        raise InputError("title is missing: say in a line what this scenario is about")
    scenario = Scenario(name=name, **read)
    if scenario.link not in _LINKS:
        raise InputError(f"link: expected {' or '.join(_LINKS)}, not {scenario.link!r:.60}")
    if not 1 <= scenario.devices <= MAX_DEVICES:
        raise InputError(f"devices: expected 1 to {MAX_DEVICES}, not {scenario.devices}")
    if not 0 <= scenario.seed <= MAX_SEED:
        raise InputError(f"seed: expected 0 to {MAX_SEED}, not {scenario.seed}")
    _check_time(scenario)
    return scenario


def _check_time(scenario: Scenario) -> None:
    if not 1 <= scenario.seconds <= MAX_SECONDS:  # NaN as well
        raise InputError(f"seconds: expected at least 1, not {scenario.seconds:g}")
    for text in scenario.faults:
        if not isinstance(text, str):
            raise InputError(f"faults: expected a list of texts, not {text!r:.60} in it")
        fault = parse_fault(text, {**FAULTS, **BENCH_FAULTS})
        needed_s = fault.start + (fault.lasts if math.isfinite(fault.lasts) else 0.0) + AFTERWARDS_S
        if needed_s > scenario.seconds:
            raise InputError(
                f"the fault '{text}' needs {needed_s:g} s, and scenario '{scenario.name}' lasts {scenario.seconds:g} s"
            )


def _limits(given: Any, limits: dict[str, Limit]) -> dict[str, Limit]:
    if not isinstance(given, dict):
        raise InputError("limits: expected a table")
    for name, value in given.items():
        if name not in MEASUREMENTS:
            raise InputError(f"limits: there is no measurement '{name}': expected {', '.join(MEASUREMENTS)}")
        if value is False:
            limits.pop(name, None)
            continue
        known = {"at_least", "at_most", "marginal"}
        if not isinstance(value, dict) or not value or not known.issuperset(value):
            raise InputError(
                f"limits.{name}: expected a table with at_least, at_most or marginal, or false for no limit"
            )
        if any(isinstance(number, bool) or not isinstance(number, int | float) for number in value.values()):
            raise InputError(f"limits.{name}: expected numbers")
        limits[name] = _limit(name, **value)
    return limits


def _limit(name: str, **value: float) -> Limit:
    limit = Limit(**value)
    low, high = value.get("at_least", -math.inf), value.get("at_most", math.inf)
    if not low <= high:  # NaN as well
        raise InputError(f"limits.{name}: nothing is at least {low:g} and at most {high:g}")
    if not 0 <= limit.marginal < math.inf:
        raise InputError(f"limits.{name}: marginal is {limit.marginal:g}: expected at least 0")
    return limit


_TYPES: Final[dict[str, type]] = {
    "title": str,
    "seconds": float,
    "devices": int,
    "link": str,
    "recording": str,
    "seed": int,
    "faults": list,
    "scores": bool,
    "alone": bool,
    "floor": bool,
    "any_device": bool,
    "shots": bool,
    "default": bool,
}
_SHOWN: Final = {str: "a text", float: "a number", int: "a whole number", list: "a list", bool: "true or false"}

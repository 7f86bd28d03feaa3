"""Scenarios: what the device plays, which faults are injected, and the limits for the measurements."""

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
from stinger.json_number import finite_number

MAX_DEVICES: Final = 1000
MAX_SECONDS: Final = 366 * 86_400.0
FAULT_FREE_END_S: Final = 1.5
"""Faults must end this long before the scenario does: the daemon publishes its counts once a second."""

_LINKS: Final = ("pty", "tcp")
_MAX_FILE_BYTES: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario. The names of its fields are the keys of scenario files.

    ``faults`` are faults of the device, injected into every one, and faults that the bench injects around it.
    ``limits`` are by the name of the measurement. ``recording`` is a path, or ``synthetic``.
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
    """Whether the daemon publishes every score."""
    alone: bool = False
    """Whether no other scenario may run at the same time, as it measures times."""
    floor: bool = False
    """Whether the latency floor, without a daemon, is measured at the same time."""
    any_device: bool = False
    """Whether it also works with devices that keep no journal, such as real ones."""
    shots: bool = True
    """Whether the excerpt with the most shots is played, instead of the beginning of the recording."""
    default: bool = True
    """Whether it is in the set that runs when no scenario is named."""

    def device_faults(self) -> dict[str, Fault]:
        """Return the faults that the emulated device injects itself, by their text."""
        return {text: parse_fault(text) for text in self.faults if fault_kind(text) in FAULTS}

    def bench_faults(self) -> dict[str, BenchFault]:
        """Return the faults that the bench injects, by their text, in the order in which they begin."""
        found: dict[str, BenchFault] = {}
        for text in self.faults:
            fault = parse_fault(text, {**FAULTS, **BENCH_FAULTS})
            if isinstance(fault, BenchFault):
                found[text] = fault
        return dict(sorted(found.items(), key=lambda each: each[1].start))

    def bench_fault_kinds(self) -> set[str]:
        """Return the names of the faults that the bench injects."""
        return {fault_kind(text) for text in self.bench_faults()}

    def with_duration(self, seconds: float) -> Scenario:
        """Return the scenario with another duration. Raises :class:`InputError` if its faults do not fit in."""
        changed = replace(self, seconds=seconds)
        _check_duration(changed)
        return changed

    def with_seed(self, seed: int) -> Scenario:
        """Return the scenario with another seed of random faults and of the synthetic session."""
        return replace(self, seed=seed)


def fault_kind(text: str) -> str:
    """Return the name of the fault in ``text``, such as ``drop`` in ``drop:rate=0.05``."""
    return text.partition(":")[0]


def shipped_scenarios() -> dict[str, Scenario]:
    """Return the scenarios that come with the program, by name."""
    folder = resources.files("hil") / "scenarios"
    found = sorted((entry.name, entry) for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return {
        name.removesuffix(".toml"): parse_scenario(entry.read_bytes(), name=name.removesuffix(".toml"), place=name)
        for name, entry in found
    }


def find_scenario(named: str) -> Scenario:
    """Return the shipped scenario of that name, or the one in the TOML file ``named``. Raises :class:`InputError`."""
    shipped = shipped_scenarios()
    if named in shipped:
        return shipped[named]
    path = Path(named)
    if path.suffix != ".toml":
        raise InputError(f"no scenario '{named}': 'stinger hil list' shows all; name a file as FILE.toml")
    scenario = parse_scenario(read_bytes(path, at_most=_MAX_FILE_BYTES), name=path.stem, place=named)
    if scenario.recording == SYNTHETIC:
        return scenario
    return replace(scenario, recording=str(path.parent / scenario.recording))


def parse_scenario(data: bytes, *, name: str, place: str) -> Scenario:
    """Parse a scenario from the TOML ``data``. ``place`` names its file in errors. Raises :class:`FileError`."""
    try:
        values = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FileError(place, f"not TOML: {error}") from error
    try:
        return _scenario(name, values)
    except InputError as error:
        raise FileError(place, str(error)) from error


def _scenario(name: str, values: dict[str, Any]) -> Scenario:
    journal = values.get("any_device") is not True
    fields: dict[str, Any] = {"limits": _limits(values.pop("limits", {}), default_limits(journal=journal))}
    for key, value in values.items():
        kind = _TYPES.get(key)
        if kind is None:
            raise InputError(f"unknown key {key}: expected {', '.join([*_TYPES, 'limits'])}")
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = value if finite_number(value) is None else float(value)  # noqa: PLW2901 - TOML distinguishes 8 from 8.0
        if type(value) is not kind:
            raise InputError(f"{key}: expected {_TYPE_NAMES[kind]}, not {value!r:.60}")
        fields[key] = value
    if not fields.get("title", "").strip():
        raise InputError("title is missing: describe the scenario in one line")
    scenario = Scenario(name=name, **fields)
    if scenario.link not in _LINKS:
        raise InputError(f"link: expected {' or '.join(_LINKS)}, not {scenario.link!r:.60}")
    if not 1 <= scenario.devices <= MAX_DEVICES:
        raise InputError(f"devices: expected 1 to {MAX_DEVICES}, not {scenario.devices}")
    if not 0 <= scenario.seed <= MAX_SEED:
        raise InputError(f"seed: expected 0 to {MAX_SEED}, not {scenario.seed}")
    _check_duration(scenario)
    return scenario


def _check_duration(scenario: Scenario) -> None:
    if not 1 <= scenario.seconds <= MAX_SECONDS:  # NaN as well
        raise InputError(f"seconds: expected 1 to {MAX_SECONDS:.0f}, not {scenario.seconds:g}")
    for text in scenario.faults:
        if not isinstance(text, str):
            raise InputError(f"faults: expected a list of strings, but it contains {text!r:.60}")
        fault = parse_fault(text, {**FAULTS, **BENCH_FAULTS})
        needed_s = fault.start + (fault.duration if math.isfinite(fault.duration) else 0.0) + FAULT_FREE_END_S
        if needed_s > scenario.seconds:
            raise InputError(
                f"the fault '{text}' needs {needed_s:g} s, but scenario '{scenario.name}' lasts {scenario.seconds:g} s"
            )


def _limits(given: Any, limits: dict[str, Limit]) -> dict[str, Limit]:
    """Return ``limits`` changed by the table ``given``. Raises :class:`InputError`."""
    if not isinstance(given, dict):
        raise InputError("limits: expected a table")
    for name, value in given.items():
        if name not in MEASUREMENTS:
            raise InputError(f"limits: no measurement '{name}': expected {', '.join(MEASUREMENTS)}")
        if value is False:
            limits.pop(name, None)
            continue
        known = {"at_least", "at_most", "marginal"}
        if not isinstance(value, dict) or not value or not known.issuperset(value):
            raise InputError(
                f"limits.{name}: expected a table with at_least, at_most or marginal, or false for no limit"
            )
        if any(not isinstance(number, float) and finite_number(number) is None for number in value.values()):
            raise InputError(f"limits.{name}: expected numbers")
        limits[name] = _limit(name, **value)
    return limits


def _limit(name: str, **value: float) -> Limit:
    limit = Limit(**value)
    low, high = value.get("at_least", -math.inf), value.get("at_most", math.inf)
    if not low <= high:  # NaN as well
        raise InputError(f"limits.{name}: no value is at least {low:g} and at most {high:g}")
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
_TYPE_NAMES: Final = {str: "a string", float: "a number", int: "an integer", list: "a list", bool: "true or false"}

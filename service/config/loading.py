"""Loads the configuration from defaults, a TOML file, the environment and the command line: later wins."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from service.config.config import KEYS, Config
from service.config.key import ENV_PREFIX, Key
from service.config.retraining import REPLACED_KEYS
from stinger.errors import FileError, InputError
from stinger.files import StrPath, home_resolved, read_bytes
from stinger.wording import printable

FILE_VARIABLE: Final = f"{ENV_PREFIX}CONFIG"
"""The environment variable that names the file, unless an option does."""

_MAX_BYTES: Final = 1_000_000
# Kubernetes itself sets these in every container if there is a service named stinger.
_FOREIGN: Final = re.compile(ENV_PREFIX + r"(SERVICE_.*|PORT(_.*)?)")
_BY_NAME: Final = {entry.name: entry for entry in KEYS}
_BY_VARIABLE: Final = {entry.variable: entry for entry in KEYS}
_REPLACED: Final = {f"retrain.{name}": instead for name, instead in REPLACED_KEYS.items()} | {
    f"{ENV_PREFIX}RETRAIN_{name.upper()}": instead for name, instead in REPLACED_KEYS.items()
}
_TABLES: Final = {entry.name.rpartition(".")[0] for entry in KEYS} - {""}


def load_config(path: StrPath | None, environ: Mapping[str, str], options: Mapping[str, Any]) -> Config:
    """Return the effective configuration.

    ``options`` are values by the names of keys, where ``None`` and ``()`` mean not given. ``path``, or else the file
    that STINGER_CONFIG names, is read; its relative paths start at its folder. Raises :class:`InputError`, one line
    that names the place (file and line, variable or option), for a key that is unknown and a value that cannot be used.
    """
    values: dict[str, Any] = {}
    if path is None and environ.get(FILE_VARIABLE):
        path = environ[FILE_VARIABLE]
    if path is not None:
        values |= _from_file(home_resolved(path))
    values |= _from_environ(environ)
    values |= _from_options(options)
    return _build(values)


def _from_file(path: Path) -> dict[str, Any]:
    data = read_bytes(path, at_most=_MAX_BYTES)
    try:
        text = data.decode("utf-8-sig")
        tables = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise FileError(path, "is not UTF-8", place=f"byte {error.start}") from error
    except (ValueError, RecursionError) as error:  # tomllib passes on int()'s ValueError for too many digits
        problem, _, where = str(error).removesuffix(")").partition(" (at ")
        raise FileError(path, f"is not TOML: {problem}", place=where or None) from error
    values = {}
    for name, value in _flat(tables):
        line = _line_of(text, name)
        place = f"line {line}" if line else None
        entry = _BY_NAME.get(name)
        if entry is None:
            if name in _TABLES:
                raise FileError(path, f"{name} is a table: expected [{name}] and its keys below", place=place)
            if name in _REPLACED:
                raise FileError(path, f"{name} is no longer used: {_REPLACED[name]}", place=place)
            raise FileError(
                path, f"unknown key {_shown(name)}{_similar(name, list(_BY_NAME) + sorted(_TABLES))}", place=place
            )
        if entry.traits.secret:
            raise FileError(path, f"{name} is read from {entry.variable} only: use {name}_file here", place=place)
        try:
            parsed = entry.parse(value)
        except InputError as error:
            raise FileError(path, f"{name}: {error}", place=place) from error
        values[name] = path.parent / parsed if isinstance(parsed, Path) else parsed
    return values


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for variable in sorted(environ):
        if not variable.startswith(ENV_PREFIX) or variable == FILE_VARIABLE or _FOREIGN.fullmatch(variable):
            continue
        entry = _BY_VARIABLE.get(variable)
        if entry is None:
            if variable in _REPLACED:
                raise InputError(f"environment variable {variable} is no longer used: {_REPLACED[variable]}")
            similar = _similar(variable, list(_BY_VARIABLE))
            raise InputError(f"environment variable {_shown(variable)}: unknown{similar}")
        if environ[variable] == "":
            continue  # a compose file cannot omit a variable, only set it to an empty text
        try:
            values[entry.name] = entry.parse_text(environ[variable])
        except InputError as error:
            raise InputError(f"environment variable {variable}: {error}") from error
    return values


def _from_options(options: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for name, value in options.items():
        if value is None or value == ():
            continue
        entry = _BY_NAME[name]
        try:
            values[name] = entry.parse(value)
        except InputError as error:
            raise InputError(f"{_option_of(entry)}: {error}") from error
    return values


def _build(values: Mapping[str, Any]) -> Config:
    arguments: dict[str, Any] = {}
    tables: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        table, _, own = name.rpartition(".")
        (tables.setdefault(table, {}) if table else arguments)[own] = value
    defaults = Config()
    arguments |= {table: replace(getattr(defaults, table), **own) for table, own in tables.items()}
    return Config(**arguments)


def _flat(tables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values; an unknown table comes as one name with the whole table as its value."""
    for name, value in tables.items():
        if name in _TABLES and isinstance(value, dict):
            yield from ((f"{name}.{inner}", inner_value) for inner, inner_value in value.items())
        else:
            yield name, value


def _line_of(text: str, name: str) -> int | None:
    """Return the line, counted from 1, where the key or table ``name`` is set; None if it is not found.

    tomllib does not keep positions. A line that only looks like an assignment, inside a multi-line string, can mislead
    this; the error then names that line.
    """
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line)
        if header:
            table = re.sub(r"[\s\"']", "", header[1])
            found = table
        else:
            assigned = re.match(r"\s*([A-Za-z0-9_.\"' -]+?)\s*=", line)
            if not assigned:
                continue
            found = ".".join(part for part in (table, re.sub(r"[\s\"']", "", assigned[1])) if part)
        if found == name or found.startswith(f"{name}."):
            return number
    return None


def _similar(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f": did you mean {close[0]}?" if close else ": see docs/configuration.md"


def _shown(name: str) -> str:
    return name[:80] if name.isprintable() else f"'{printable(name[:80])}'"


def _option_of(entry: Key) -> str:
    return (entry.traits.option or entry.name).partition("/")[0]

"""One key of the configuration.

It has a type and range, names in file, environment and options, and a help text.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from stinger.errors import InputError
from stinger.wording import without_user

ENV_PREFIX: Final = "STINGER_"

_FLAGS: Final = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
_SHOWN_CHARACTERS: Final = 60
_PLAIN_KINDS: Final = (bool, int, float, str, tuple, Path)


@dataclass(frozen=True, slots=True)
class Traits:
    """The properties of a key other than its type and default."""

    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    option: str | None = None
    """Its command line option, such as ``--broker``; None without one."""
    metavar: str | None = None
    """Placeholder of the option's value in help; None for the placeholder that click derives from the type."""
    default_text: str | None = None
    """The default as help shows it, if the value depends on the machine or cannot be shown."""
    secret: bool = False
    """Read from the environment only, and never shown."""
    live: bool = False
    """Whether a running daemon applies a change of it at SIGHUP, without a restart."""
    parse: Callable[[Any], Any] | None = None
    """Converts a value of the plain type to the one that the program uses. Raises :class:`InputError`."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``name`` is dotted, as in the file: ``broker.url``."""

    name: str
    kind: type
    """Type of the value in the file: bool, int, float, str, tuple (of strings) or Path."""
    optional: bool
    default: Any
    traits: Traits

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return ENV_PREFIX + self.name.replace(".", "_").upper()

    @property
    def default_text(self) -> str:
        """The default in help and documentation; empty for none."""
        if self.traits.default_text is not None:
            return self.traits.default_text
        if isinstance(self.default, bool):
            return "true" if self.default else "false"
        if isinstance(self.default, tuple):
            return " ".join(map(str, self.default))
        return "" if self.default is None else str(self.default)

    def expectation(self) -> str:
        """Return what is expected, such as ``a whole number from 0 to 65535``."""
        traits = self.traits
        if traits.choices:
            return f"one of {', '.join(traits.choices)}"
        text = {bool: "true or false", int: "a whole number", float: "a number", tuple: "a list of strings"}.get(
            self.kind, "a string" if self.kind is str else "a path"
        )
        if traits.low is not None and traits.high is not None:
            return f"{text} from {traits.low:.12g} to {traits.high:.12g}"
        return f"{text} of at least {traits.low:.12g}" if traits.low is not None else text

    def parse_text(self, text: str) -> Any:
        """Return the value of ``text``, the content of an environment variable. Raises :class:`InputError`."""
        stripped = text.strip()
        value: Any = text
        with suppress(ValueError):
            if self.kind is bool:
                value = _FLAGS.get(stripped.lower(), text)
            elif self.kind is int:
                value = int(stripped)
            elif self.kind is float:
                value = float(stripped)
            elif self.kind is tuple:
                value = stripped.split()
        return self.parse(value)

    def parse(self, value: Any) -> Any:
        """Convert ``value``, from the file or an option, to the one that the program uses. Raises :class:`InputError`."""
        value = self._convert(value)
        traits = self.traits
        out_of_range = isinstance(value, int | float) and (
            (traits.low is not None and value < traits.low) or (traits.high is not None and value > traits.high)
        )
        if out_of_range or (traits.choices and value not in traits.choices):
            raise self._unexpected(value)
        return traits.parse(value) if traits.parse else value

    def _convert(self, value: Any) -> Any:
        kind = self.kind
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            with suppress(OverflowError):
                value = float(value)
        if kind is tuple and isinstance(value, list | tuple) and all(isinstance(item, str) and item for item in value):
            return tuple(value)
        if kind is Path and isinstance(value, str) and value.strip() and "\0" not in value:
            with suppress(RuntimeError):  # '~user' of a user that the system does not know
                return Path(value).expanduser()
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not fits or value == "" or (isinstance(value, float) and not math.isfinite(value)):
            raise self._unexpected(value)
        return value

    def _unexpected(self, value: Any) -> InputError:
        shown = "the given one (secret, not shown)" if self.traits.secret else _shown(value)
        return InputError(f"expected {self.expectation()}, not {shown}")


def key(default: Any, help: str, **traits: Any) -> Any:  # noqa: A002 - reads well where keys are declared
    """Return a dataclass field that is a key of the configuration; see :class:`Traits`.

    A callable default is called.
    """
    metadata = {"traits": Traits(help, **traits)}
    shown = not traits.get("secret", False)
    if callable(default):
        return field(default_factory=default, metadata=metadata, repr=shown)
    return field(default=default, metadata=metadata, repr=shown)


def keys_of(config: type, prefix: str = "") -> Iterator[Key]:
    """Yield the keys of ``config`` in order. In a nested dataclass, the field's name and a dot come first."""
    hints = typing.get_type_hints(config)
    for entry in fields(config):
        hint = hints[entry.name]
        if "traits" not in entry.metadata:
            assert is_dataclass(hint)
            assert isinstance(hint, type)
            yield from keys_of(hint, f"{prefix}{entry.name}.")
            continue
        parts = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
        yield Key(
            name=prefix + entry.name,
            kind=_plain_kind(next(part for part in parts if part is not type(None))),
            optional=type(None) in parts,
            default=_default_of(entry),
            traits=entry.metadata["traits"],
        )


def _shown(value: Any) -> str:
    """Return ``value`` for a message; a URL in it without what may be a password."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"[:_SHOWN_CHARACTERS]
    if isinstance(value, dict):
        return "a table"
    return repr(without_user(value) if isinstance(value, str) else value)[:_SHOWN_CHARACTERS]


def _plain_kind(hint: Any) -> type:
    """Return the type in the file of a key whose parsed values have type ``hint``: a text for a type of our own."""
    plain: type = typing.get_origin(hint) or getattr(hint, "__supertype__", hint)
    return plain if plain in _PLAIN_KINDS else str


def _default_of(entry: Field[Any]) -> Any:
    if entry.default_factory is not MISSING:
        return entry.default_factory()
    return entry.default

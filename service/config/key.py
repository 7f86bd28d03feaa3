"""What one key of the configuration is: its type, its range, its names in file, environment and options, its one text."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

ENV_PREFIX: Final = "STINGER_"

_FLAGS: Final = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}


@dataclass(frozen=True, slots=True)
class Traits:
    """What a dataclass field says of its key beyond type and default."""

    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    option: str | None = None
    """The command line's name for it, such as ``--broker``; ``None`` where it has none."""
    metavar: str | None = None
    """What stands for the option's value in its help, where that is no number or plain text."""
    default_text: str | None = None
    """How the default is told, where its value depends on the machine or is no text."""
    secret: bool = False
    """Only from the environment, and never shown."""
    check: Callable[[Any], str | None] | None = None
    """Says what is wrong with a value of the right type; ``None`` if nothing is."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``name`` is dotted, as in the file: ``broker.url``."""

    name: str
    kind: type
    optional: bool
    default: Any
    traits: Traits

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return ENV_PREFIX + self.name.replace(".", "_").upper()

    @property
    def default_text(self) -> str:
        """Its default for a reader; empty for none."""
        if self.traits.default_text is not None:
            return self.traits.default_text
        if isinstance(self.default, bool):
            return "true" if self.default else "false"
        if isinstance(self.default, tuple):
            return " ".join(self.default)
        return "" if self.default is None else str(self.default)

    def expectation(self) -> str:
        """What is expected, such as ``a whole number from 0 to 65535``."""
        traits = self.traits
        if traits.choices:
            return f"one of {', '.join(traits.choices)}"
        text = {bool: "true or false", int: "a whole number", float: "a number", tuple: "a list of texts"}.get(
            self.kind, "a text" if self.kind is str else "a path"
        )
        if traits.low is not None and traits.high is not None:
            return f"{text} from {traits.low:.12g} to {traits.high:.12g}"
        return f"{text} of at least {traits.low:.12g}" if traits.low is not None else text

    def from_text(self, text: str) -> Any:
        """The value that ``text``, as the environment has it, stands for. Raises ``ValueError`` that says what is wrong."""
        stripped = text.strip()
        value: Any = text
        try:
            if self.kind is bool:
                value = _FLAGS.get(stripped.lower(), text)
            elif self.kind is int:
                value = int(stripped)
            elif self.kind is float:
                value = float(stripped)
            elif self.kind is tuple:
                value = stripped.split()
        except ValueError:
            value = text
        return self.checked(value)

    def checked(self, value: Any) -> Any:
        """``value`` in the type of the key. Raises ``ValueError`` that says what is wrong."""
        value = self._converted(value)
        traits = self.traits
        out = isinstance(value, int | float) and (
            (traits.low is not None and value < traits.low) or (traits.high is not None and value > traits.high)
        )
        if out or (traits.choices and value not in traits.choices):
            raise self._unexpected(value)
        problem = traits.check(value) if traits.check else None
        if problem:
            raise ValueError(problem)
        return value

    def _converted(self, value: Any) -> Any:
        kind = self.kind
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if kind is tuple and isinstance(value, list | tuple) and all(isinstance(item, str) and item for item in value):
            return tuple(value)
        if kind is Path and isinstance(value, str) and value.strip() and "\0" not in value:
            with suppress(RuntimeError):  # '~somebody' whom the system does not know
                return Path(value).expanduser()
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not fits or value == "" or (isinstance(value, float) and not math.isfinite(value)):
            raise self._unexpected(value)
        return value

    def _unexpected(self, value: Any) -> ValueError:
        shown = "a value that is kept to itself" if self.traits.secret else f"{value!r:.60}"
        return ValueError(f"expected {self.expectation()}, not {shown}")


def key(default: Any, help: str, **traits: Any) -> Any:  # noqa: A002 - reads well where keys are declared
    """A dataclass field that is a key of the configuration; see :class:`Traits`. A callable default is called."""
    metadata = {"traits": Traits(help, **traits)}
    shown = not traits.get("secret", False)
    if callable(default):
        return field(default_factory=default, metadata=metadata, repr=shown)
    return field(default=default, metadata=metadata, repr=shown)


def keys_of(config: type, prefix: str = "") -> Iterator[Key]:
    """The keys of ``config``, in order; those of a dataclass within it bear its field's name and a dot before theirs."""
    hints = typing.get_type_hints(config)
    for one in fields(config):
        kind = hints[one.name]
        if is_dataclass(kind):
            assert isinstance(kind, type)
            yield from keys_of(kind, f"{prefix}{one.name}.")
        else:
            optional = isinstance(kind, types.UnionType)
            kind = next(part for part in typing.get_args(kind) if part is not type(None)) if optional else kind
            yield Key(
                name=prefix + one.name,
                kind=typing.get_origin(kind) or kind,
                optional=optional,
                default=_default_of(one),
                traits=one.metadata["traits"],
            )


def _default_of(one: Field[Any]) -> Any:
    if one.default_factory is not MISSING:
        return one.default_factory()
    return one.default

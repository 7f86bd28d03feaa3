"""The command line options of the configuration: one for each key that has an option, with the key's help text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import click

from service.config.config import KEYS
from service.config.key import Key

_RETRAINING: Final = "retrain."
_STORES: Final = ("data_dir", "recordings", "registry")
"""The daemon's keys that retraining reads as well."""

Command = TypeVar("Command", bound=Callable[..., Any])


def config_options(command: Command) -> Command:
    """Add the options of the daemon's configuration to a click command; :func:`option_values` collects their values."""
    return _with_options(command, [entry for entry in KEYS if not entry.name.startswith(_RETRAINING)])


def retraining_options(command: Command) -> Command:
    """Add the options of retraining's configuration to a click command; :func:`option_values` collects their values."""
    return _with_options(
        command, [entry for entry in KEYS if entry.name.startswith(_RETRAINING) or entry.name in _STORES]
    )


def option_values(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a command's configuration options, by the names of their keys, for ``load_config``."""
    return {entry.name: parameters.get(_parameter(entry)) for entry in KEYS if entry.traits.option}


def _with_options(command: Command, keys: Sequence[Key]) -> Command:
    for entry in reversed(keys):
        if entry.traits.option:
            command = _option(entry, entry.traits.option)(command)
    return command


def _option(entry: Key, flags: str) -> Callable[[Command], Command]:
    # No defaults here: an option that is not given must not win over file and environment. load_config checks the
    # values.
    help_ = f"{entry.traits.help} [default: {entry.default_text}]" if entry.default_text else entry.traits.help
    if entry.kind is bool:
        return click.option(flags, _parameter(entry), is_flag=True, default=None, help=help_)
    kinds: dict[type, Any] = {int: int, float: float, tuple: str}
    return click.option(
        flags,
        _parameter(entry),
        type=kinds.get(entry.kind, str),
        multiple=entry.kind is tuple,
        metavar=entry.traits.metavar,
        help=help_,
    )


def _parameter(entry: Key) -> str:
    return entry.name.replace(".", "_")

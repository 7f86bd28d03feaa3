"""The command line options of the configuration: one for each key that has an option, with the key's help text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import click

from service.config.config import KEYS
from service.config.key import Key

_RETRAINING: Final = "retrain."

Command = TypeVar("Command", bound=Callable[..., Any])


def config_options(command: Command) -> Command:
    """Add the options of the daemon's configuration to a click command; :func:`option_values` collects their values."""
    return _with_options(command, [one for one in KEYS if not one.name.startswith(_RETRAINING)])


def retraining_options(command: Command) -> Command:
    """Add the options of retraining's configuration to a click command; :func:`option_values` collects their values."""
    return _with_options(command, [one for one in KEYS if one.name.startswith(_RETRAINING) or one.name == "data_dir"])


def option_values(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a command's parameters that are configuration, by the names of keys, for ``load_config``."""
    return {one.name: parameters.get(_parameter(one)) for one in KEYS if one.traits.option}


def _with_options(command: Command, keys: Sequence[Key]) -> Command:
    for one in reversed(keys):
        if one.traits.option:
            command = _option(one, one.traits.option)(command)
    return command


def _option(one: Key, flags: str) -> Callable[[Command], Command]:
    # No defaults here: an option that is not given must not win over file and environment. load_config checks the values.
    help_ = f"{one.traits.help} [default: {one.default_text}]" if one.default_text else one.traits.help
    if one.kind is bool:
        return click.option(flags, _parameter(one), is_flag=True, default=None, help=help_)
    kinds: dict[type, Any] = {int: int, float: float, tuple: str}
    return click.option(
        flags,
        _parameter(one),
        type=kinds.get(one.kind, str),
        multiple=one.kind is tuple,
        metavar=one.traits.metavar,
        help=help_,
    )


def _parameter(one: Key) -> str:
    return one.name.replace(".", "_")

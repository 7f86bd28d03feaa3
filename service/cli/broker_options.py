"""The options of the commands that talk to a daemon's broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from service.config.topic_root import DEFAULT_ROOT, TopicRoot, parse_topic_root
from stinger.cli.options import ANY_FOLDER
from stinger.errors import InputError

Command = TypeVar("Command", bound=Callable[..., Any])


def _parse_topic_root(_context: click.Context, _parameter: click.Parameter, value: Any) -> TopicRoot:
    try:
        return parse_topic_root(value)
    except InputError as error:
        raise InputError(f"--topic-root: {error}") from None


_OPTIONS: Final = (
    click.option("--broker", default="mqtt://localhost", show_default=True, metavar="URL", help="The daemon's broker."),
    click.option(
        "--topic-root",
        default=DEFAULT_ROOT,
        show_default=True,
        metavar="TOPIC",
        callback=_parse_topic_root,
        help="Beginning of the daemon's topics.",
    ),
    click.option(
        "--data-dir",
        type=ANY_FOLDER,
        metavar="FOLDER",
        help="The daemon's data folder, with the password of its embedded broker.  [default: the user's data folder]",
    ),
    click.option(
        "--ca-file",
        type=ANY_FOLDER,
        metavar="FILE",
        help="Certificates that the broker's certificate is checked against.  [default: the system's]",
    ),
)


def broker_options(command: Command) -> Command:
    """Add ``--broker``, ``--topic-root``, and the options of the login, to ``command``."""
    return broker_options_with("--password-file")(command)


def broker_options_with(password_option: str) -> Callable[[Command], Command]:
    """Return a decorator like :func:`broker_options`.

    The option for the file of the broker's password is called ``password_option``.
    """
    password_file = click.option(
        password_option,
        type=ANY_FOLDER,
        metavar="FILE",
        help="File whose first line is the password for the broker.",
    )

    def add_options(command: Command) -> Command:
        for option in reversed((*_OPTIONS[:-1], password_file, _OPTIONS[-1])):
            command = option(command)
        return command

    return add_options

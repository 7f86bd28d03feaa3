"""The exit code for a failure after which another attempt may succeed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from stinger.errors import UnavailableError

EXIT_UNAVAILABLE: Final = 75
"""EX_TEMPFAIL: the program could not start, but not because of its configuration (exit code 2). systemd tries again."""


class RetryLaterError(click.ClickException):
    """One line on stderr, and the exit code of sysexits.h for a failure after which another attempt may succeed."""

    exit_code = EXIT_UNAVAILABLE


@contextmanager
def retry_later() -> Iterator[None]:
    """Turn an :class:`UnavailableError` of the block into :class:`RetryLaterError`."""
    try:
        yield
    except UnavailableError as error:
        raise RetryLaterError(str(error)) from error

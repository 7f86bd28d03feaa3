"""The errors that a user, a file or a device can cause. Any other exception is a bug and keeps its traceback."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from os import PathLike, fspath
from typing import Any


class StingerError(Exception):
    """The base of all these errors. The text is one line for the user."""


class InputError(StingerError):
    """An option, a combination of options or a file cannot be used. Trying again does not help."""


class UnavailableError(StingerError):
    """Something that a command needs is not available now, such as a port in use; trying again later may help."""


class FileError(InputError):
    """A file cannot be used. ``place`` is the position in the file, such as ``line 7`` or ``byte 34``."""

    def __init__(self, path: str | PathLike[str], problem: str, *, place: str | None = None) -> None:
        self.path = fspath(path)
        self.problem = problem
        self.place = place
        super().__init__(": ".join(part for part in (self.path, place, problem) if part))

    def __reduce__(self) -> tuple[Any, ...]:
        # For pickling: workers send their errors back to the parent process.
        return partial(type(self), place=self.place), (self.path, self.problem)


class DeviceError(StingerError):
    """The blaster understood a command and refused it. ``reason`` is the word it sent, such as ``busy`` or ``crc``.

    ``lines`` are what it prints before that.
    """

    def __init__(self, reason: str, message: str, *, lines: Sequence[str] = ()) -> None:
        self.reason = reason
        self.lines = tuple(lines)
        super().__init__(message)


class ProtocolError(StingerError):
    """Received bytes break the protocol, or an answer did not arrive in time."""


def first_error(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first exception in ``failed`` that is not a group.

    If several tasks failed, the user thus sees one error.
    """
    error: BaseException = failed
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

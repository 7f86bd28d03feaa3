"""Every error that a user, a file or a device can cause. Anything else that escapes is a bug and keeps its traceback."""

from __future__ import annotations

from functools import partial
from os import PathLike, fspath
from typing import Any


class StingerError(Exception):
    """The root: its text is one line, fit to be shown to a user as it stands."""


class InputError(StingerError):
    """What was given cannot be used: an option, a combination of options, a file. Trying again will not help."""


class FileError(InputError):
    """A file cannot be used. ``place`` is where in the file, such as ``line 7`` or ``byte 34``."""

    def __init__(self, path: str | PathLike[str], problem: str, *, place: str | None = None) -> None:
        self.path = fspath(path)
        self.problem = problem
        self.place = place
        super().__init__(": ".join(part for part in (self.path, place, problem) if part))

    def __reduce__(self) -> tuple[Any, ...]:
        # So that it survives the way back from another process.
        return partial(type(self), place=self.place), (self.path, self.problem)


class DeviceError(StingerError):
    """The blaster understood and refused. ``reason`` is its own word, such as ``busy`` or ``crc``."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class ProtocolError(StingerError):
    """What came over the link is not what the protocol allows there, or did not come in time."""


def first_error(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first that is no group: of tasks that fail together, one is what a user is told of."""
    error: BaseException = failed
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

"""Standard output and error while a command runs.

Nothing in what is printed controls a terminal, and printing cannot fail. Names of files and devices, notes, metadata of
models and messages of other programs come from outside. They may hold escape sequences, and characters that the
terminal's encoding lacks.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from traceback import format_exception
from types import TracebackType
from typing import Any, Final, TextIO, cast

from stinger.errors import StingerError
from stinger.wording import printable

_STANDARD_FILES: Final = 3


class OutputError(StingerError):
    """Standard output cannot be written to."""


@contextmanager
def guarded_output() -> Iterator[None]:
    """Replace ``sys.stdout`` and ``sys.stderr`` by streams that escape what a terminal might obey, for the block.

    What standard output does not accept, such as that of a full disk, raises :class:`OutputError`, also at the end of
    the block, and a pipe that is closed ``BrokenPipeError``. What standard error does not accept is dropped.
    """
    _open_missing_files()
    before = sys.stdout, sys.stderr
    output = _GuardedStream(sys.stdout or _null_stream(1))
    errors = _GuardedStream(sys.stderr or _null_stream(2), drop=True)
    sys.stdout, sys.stderr = cast("TextIO", output), cast("TextIO", errors)
    try:
        yield
    finally:
        try:
            output.flush()
        finally:
            errors.flush()
            sys.stdout, sys.stderr = before


def show_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback to standard error, as ``sys.excepthook`` does.

    Control characters are shown: the text of an exception may come from outside.
    """
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(printable("".join(format_exception(kind, error, trace)), keep="\n\t"))


def unguarded(stream: TextIO) -> TextIO:
    """Return the stream below ``stream``, for programs that draw on a terminal; they must escape texts themselves."""
    below: TextIO = getattr(stream, "below", stream)
    return below


class _GuardedStream:
    """A text stream that escapes what does not print, and what its encoding lacks.

    It has no ``buffer``: click would write to that directly.
    """

    def __init__(self, below: TextIO, *, drop: bool = False) -> None:
        self.below = below
        self._drop = drop
        with suppress(AttributeError, ValueError, OSError):
            below.reconfigure(errors="replace")  # type: ignore[attr-defined]  # for what is drawn on it directly

    def write(self, text: str | bytes) -> int:
        encoding = self.below.encoding or "utf-8"
        if isinstance(text, bytes):
            if not text:
                raise TypeError("not a binary stream")  # this is how click finds out
            text = text.decode(encoding, "backslashreplace")  # words that click completes for a shell
        if not text:
            return 0
        with self._errors_reported():
            shown = printable(text, keep="\n\t", json=True)
            self.below.write(shown.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._errors_reported():
            self.below.flush()

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self.below, name)

    @contextmanager
    def _errors_reported(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._discard_the_rest()
            if self._drop:
                return
            if error.errno == errno.EPIPE:
                raise
            raise OutputError(f"standard output cannot be written to: {error.strerror or error}") from error

    def _discard_the_rest(self) -> None:
        """Connect the stream to nothing: Python would try to write what is left of it at its end, and complain."""
        with suppress(OSError, ValueError, AttributeError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.below.fileno())
            os.close(null)


def _open_missing_files() -> None:
    """Open standard input, output and error on nothing if they are closed: a file of ours would get their numbers."""
    for number in range(_STANDARD_FILES):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - it stays open to the end


def _null_stream(number: int) -> TextIO:
    """Return a text stream for file ``number``, which was closed when Python started."""
    return open(number, "w", encoding="utf-8", closefd=False)

"""Parse a CSV of whole numbers with a header.

The slow search for the position of an error runs only after a failure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.errors import FileError
from stinger.files import StrPath
from stinger.logs.records import CutBytes
from stinger.wording import counted, quoted

_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_ZEROS: Final = re.compile(rb"(?<=\n)([^\n\0]*)(\0{16,})[^\n]*")
_BEFORE_NEWLINE: Final = re.compile(rb"\r(?=\r*\n)")
_INT64_LIMIT: Final = 2**63
_LONGEST: Final = 40
"""The most characters of a cell: Python refuses to parse numbers of thousands of digits."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """``values`` ``(n, len(columns)) int64``, n >= 1, in the order of ``columns``.

    ``torn_lines`` are the numbers of the lines that were left out because they are not complete: the last one, and
    those with ``zeros``, runs of zero bytes.
    """

    values: npt.NDArray[np.int64]
    columns: tuple[str, ...]
    path: StrPath
    data: bytes
    torn_lines: tuple[int, ...] = ()
    zeros: tuple[CutBytes, ...] = ()

    def check(self, column: str, low: int, high: int) -> None:
        """Raise :class:`FileError`, naming the line, unless every value of ``column`` is within ``low`` and ``high``."""
        values = self.values[:, self.columns.index(column)]
        wrong = np.flatnonzero((values < low) | (values > high))
        if wrong.size:
            row = int(wrong[0])
            raise FileError(
                self.path,
                f"{column} is {values[row]}, expected {low} {'or' if high == low + 1 else 'to'} {high}",
                place=f"line {_row_lines(self.data)[row]}",
            )

    def lines_of(self, rows: npt.NDArray[np.intp]) -> tuple[str, ...]:
        """Return the place, such as ``line 7``, of each of ``rows``."""
        lines = _row_lines(self.data)
        return tuple(f"line {lines[row]}" for row in rows.tolist())


def with_newlines(data: bytes) -> bytes:
    r"""Return the text with a newline at the end of each line.

    Its length stays the same: a carriage return alone becomes a newline.

    >>> with_newlines(b"a\rb\r\r\nc\r\n")
    b'a\nb  \nc \n'
    """
    if data.count(b"\r") == data.count(b"\r\n"):
        return data
    return _BEFORE_NEWLINE.sub(b" ", data).replace(b"\r", b"\n")


def parse_table(data: bytes, columns: tuple[str, ...], path: StrPath, *, complete_end: str) -> Table:
    """Parse ``data``: a header that has at least ``columns``, in any order, then rows of whole numbers.

    A last line without a line end may have been cut off while it was written: it is left out unless it ends with a cell
    of the column ``complete_end``, whose values have one digit, or is the only one. Zero bytes at the end, and lines
    with long runs of them, are left out as well: a power cut leaves them. Raises :class:`FileError` with the line for a
    missing column, a row of another length, or a cell that is no integer. Lines may end with a newline, a carriage
    return, or both.
    """
    data = with_newlines(data)
    written = data.rstrip(b"\0")
    zeros: tuple[CutBytes, ...] = ()
    if len(written) < len(data):
        zeros = (CutBytes(len(written), len(data) - len(written), zero=True),)
    torn: tuple[int, ...] = ()
    if b"\0" in written:
        written, torn, between = _without_zeros(written)
        zeros = between + zeros
    kept, last = _without_torn_line(written, complete_end)
    table = _parse_complete(kept, columns, path)
    return replace(table, torn_lines=torn if last is None else (*torn, last), zeros=zeros)


def _without_zeros(data: bytes) -> tuple[bytes, tuple[int, ...], tuple[CutBytes, ...]]:
    """Return ``data`` without the lines that long runs of zeros are in, the numbers of these lines, and the runs.

    The other lines keep their numbers.
    """
    torn = []
    zeros = []
    for found in _ZEROS.finditer(data):
        zeros.append(CutBytes(found.start(2), found.end(2) - found.start(2), zero=True))
        torn.append(data.count(b"\n", 0, found.start()) + 1)
    return _ZEROS.sub(b"", data), tuple(torn), tuple(zeros)


def _without_torn_line(data: bytes, complete_end: str) -> tuple[bytes, int | None]:
    """Return ``data`` without a last line that may be cut off, and the number of that line."""
    rows, newline, last = data.rpartition(b"\n")
    if not last.strip() or b"\n" not in rows:
        return data, None
    names = [name.strip() for name in data.partition(b"\n")[0].split(b",")]
    cells = last.split(b",")
    whole = all(_INTEGER.fullmatch(cell.strip().decode("latin-1")) for cell in cells)
    if whole and len(cells) == len(names) and names[-1] == complete_end.encode():
        return data, None
    if len(cells) > len(names):
        return data, None  # not cut off, but wrong in another way
    return rows + newline, rows.count(b"\n") + 2


def _parse_complete(data: bytes, columns: tuple[str, ...], path: StrPath) -> Table:
    header, _, body = data.partition(b"\n")
    names = [name.strip() for name in header.decode("ascii", errors="replace").split(",")]
    missing = [name for name in columns if name not in names]
    if missing:
        raise FileError(path, f"the header lacks {', '.join(missing)}", place="line 1")
    twice = [name for name in columns if names.count(name) > 1]
    if twice:
        raise FileError(path, f"the header names {', '.join(twice)} more than once", place="line 1")
    if not body.strip():
        raise FileError(path, "has a header but no rows: expected one sample per line", place="line 2")
    try:
        values = np.loadtxt(BytesIO(body), dtype=np.int64, delimiter=",", comments=None, ndmin=2, encoding="latin-1")
    except (ValueError, OverflowError) as error:
        raise _first_fault(data, names, path) from error
    if values.shape[1] != len(names):
        raise _first_fault(data, names, path)
    if names != list(columns):
        values = values[:, [names.index(name) for name in columns]]
    return Table(values=values, columns=columns, path=path, data=data)


def _first_fault(data: bytes, names: list[str], path: StrPath) -> FileError:
    """Return the error for the first line that the fast parser cannot read."""
    for number, line in enumerate(data.decode("ascii", errors="replace").split("\n"), start=1):
        if number == 1 or not line.rstrip("\r"):
            continue
        cells = line.split(",")
        if len(cells) != len(names):
            return FileError(path, f"{counted(len(cells), 'column')}, expected {len(names)}", place=f"line {number}")
        for name, cell in zip(names, cells, strict=True):
            text = cell.strip()
            if len(text) > _LONGEST or not _INTEGER.fullmatch(text) or abs(int(text)) >= _INT64_LIMIT:
                return FileError(path, f"{name} is {quoted(text)}, expected a whole number", place=f"line {number}")
    return FileError(path, "is not a table of whole numbers")


def _row_lines(data: bytes) -> list[int]:
    """Return the number, from 1, of the line that holds each row: those after the header that are not blank."""
    return [number for number, line in enumerate(data.split(b"\n"), start=1) if number > 1 and line.strip()]

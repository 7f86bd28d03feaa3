"""Parse a CSV of whole numbers with a header. The slow search for the position of an error runs only after a failure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.errors import FileError
from stinger.files import StrPath
from stinger.wording import counted, quoted

_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_INT64_LIMIT: Final = 2**63
_LONGEST: Final = 40
"""The most characters of a cell: Python refuses to parse numbers of thousands of digits."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """``values`` ``(n, len(columns)) int64``, n >= 1, in the order of ``columns``."""

    values: npt.NDArray[np.int64]
    columns: tuple[str, ...]
    path: StrPath
    data: bytes

    def check(self, column: str, low: int, high: int) -> None:
        """Raise :class:`FileError`, naming the line, unless every value of ``column`` is within ``low`` and ``high``."""
        values = self.values[:, self.columns.index(column)]
        wrong = np.flatnonzero((values < low) | (values > high))
        if wrong.size:
            row = int(wrong[0])
            raise FileError(
                self.path,
                f"{column} is {values[row]}, expected {low} {'or' if high == low + 1 else 'to'} {high}",
                place=f"line {_line_of_row(self.data, row)}",
            )


def parse_table(data: bytes, columns: tuple[str, ...], path: StrPath) -> Table:
    """Parse ``data``: a header that has at least ``columns``, in any order, then rows of whole numbers.

    Raises :class:`FileError` with the line for a missing column, a row of another length, or a cell that is no integer.
    """
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


def _line_of_row(data: bytes, row: int) -> int:
    """Return the number, from 1, of the line that holds the ``row``-th row (from 0) that is not blank."""
    lines = [number for number, line in enumerate(data.split(b"\n"), start=1) if number > 1 and line.strip()]
    return lines[row]

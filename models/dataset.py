"""A training set on disk: windows, labels, the origin of each row, and the options that it was built with."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.model_meta import LEAD_MS, check_windows
from stinger.errors import FileError
from stinger.files import StrPath, os_errors, read_bytes, text_bytes, write_bytes
from stinger.json_number import finite_number
from stinger.sample import CHANNELS, SAMPLE_RATE_HZ
from stinger.wording import counted, quoted

WINDOWS_FILE: Final = "windows_i16le.bin"
LABELS_FILE: Final = "labels_u8.bin"
INDEX_FILE: Final = "index.csv"
META_FILE: Final = "meta.json"

_INTEGER_COLUMNS: Final = (
    "shot_num",
    "shot_timestamp_ms",
    "distance_to_shot_ms",
    "event_timestamp_ms",
    "window_start_ms",
    "window_end_ms",
)
INDEX_COLUMNS: Final = ("row", "label", *_INTEGER_COLUMNS, "source", "session")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The origin of each of ``n`` windows; every array is ``(n,)``.

    ``shot_num`` numbers accepted shots over all sessions of a dataset, so each number is one shot; a negative has that
    of the nearest shot of its session, -1 if there is none. Times are ms since the boot of the row's session. The event
    is the shot of a positive, the sample right after a negative; ``distance_to_shot_ms`` is event minus shot.
    """

    shot_num: npt.NDArray[np.int64]
    shot_timestamp_ms: npt.NDArray[np.int64]
    distance_to_shot_ms: npt.NDArray[np.int64]
    event_timestamp_ms: npt.NDArray[np.int64]
    window_start_ms: npt.NDArray[np.int64]
    window_end_ms: npt.NDArray[np.int64]
    session: npt.NDArray[np.str_]

    def take(self, indices: npt.NDArray[np.intp]) -> Rows:
        """Return the rows at ``indices`` ``(m,)``, in that order."""
        return Rows(**{field.name: getattr(self, field.name)[indices] for field in fields(self)})


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A training set of ``n`` windows.

    ``windows`` are ``(n, window_samples, 6) int16``, ``labels`` ``(n,) uint8`` (1: a shot follows); ``rows`` is the
    origin of each, ``meta`` the options and counts of the export.
    """

    windows: npt.NDArray[np.int16]
    labels: npt.NDArray[np.uint8]
    rows: Rows
    meta: Mapping[str, Any]

    def __len__(self) -> int:
        return int(self.labels.shape[0])

    @property
    def rate_hz(self) -> float:
        """Samples per second. Training sets of older tools do not hold it; those tools used the blaster's own rate."""
        return float(self.meta.get("estimated_hz", SAMPLE_RATE_HZ))

    @property
    def lead_ms(self) -> float:
        """Time from the end of a positive window to its shot; in training sets of older tools the blaster's own."""
        return float(self.meta.get("lead_ms", LEAD_MS))


def check_savable(dataset: Dataset) -> None:
    """Raise :class:`~stinger.errors.InputError` unless a model file can hold a model that is trained on ``dataset``."""
    check_windows(int(dataset.windows.shape[1]), dataset.rate_hz)


def write_dataset(folder: StrPath, dataset: Dataset) -> None:
    """Write the four files of ``dataset`` into ``folder``, which must exist. Each file is written atomically.

    The old ``meta.json`` is deleted first and the new one written last: if it is interrupted in between, the folder
    does not count as a training set.
    """
    target = Path(folder)
    with os_errors(target / META_FILE):
        (target / META_FILE).unlink(missing_ok=True)
    write_bytes(target / WINDOWS_FILE, dataset.windows.astype("<i2", copy=False).tobytes())
    write_bytes(target / LABELS_FILE, dataset.labels.tobytes())
    write_bytes(target / INDEX_FILE, text_bytes(_index_csv(dataset)))
    write_bytes(target / META_FILE, (json.dumps(dict(dataset.meta), indent=2) + "\n").encode())


def read_dataset(folder: StrPath) -> Dataset:
    """Read the files that :func:`write_dataset` writes.

    Raises :class:`FileError` for a file that is missing, does not match the others, or contains anything unexpected. An
    index without a ``session`` column, as older tools wrote it, is one session with an empty name.
    """
    source = Path(folder)
    if not (source / META_FILE).exists():
        problem = "No such file or directory: stinger explore LOG --export-dataset makes a training set"
        raise FileError(source / META_FILE, problem)
    meta = _read_meta(source / META_FILE)
    labels = np.frombuffer(read_bytes(source / LABELS_FILE), dtype=np.uint8)
    if labels.size == 0:
        raise FileError(source / LABELS_FILE, "is empty: expected one byte of 0 or 1 for each window")
    wrong = np.flatnonzero(labels > 1)
    if wrong.size:
        raise FileError(
            source / LABELS_FILE, f"the label is {labels[wrong[0]]}, expected 0 or 1", place=f"byte {int(wrong[0])}"
        )
    window_bytes = meta["window_samples"] * len(CHANNELS) * 2
    data = read_bytes(source / WINDOWS_FILE)
    if len(data) != labels.size * window_bytes:
        raise FileError(
            source / WINDOWS_FILE,
            f"{len(data)} bytes, expected {labels.size * window_bytes}: {labels.size} labels of {window_bytes} bytes",
        )
    windows = np.frombuffer(data, dtype="<i2").reshape(labels.size, meta["window_samples"], len(CHANNELS))
    rows = _read_index(source / INDEX_FILE, labels)
    return Dataset(windows=windows, labels=labels, rows=rows, meta=meta)


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise FileError(path, f"is not JSON ({error})") from error
    window_samples = meta.get("window_samples") if isinstance(meta, dict) else None
    if not isinstance(window_samples, int) or isinstance(window_samples, bool) or window_samples < 1:
        raise FileError(path, "window_samples is missing or not a whole number above 0")
    assert isinstance(meta, dict)
    for name in ("estimated_hz", "lead_ms"):
        value = finite_number(meta.get(name, 1.0))
        if value is None or value < 0:
            raise FileError(path, f"{name} is not a number of 0 or more")
    inputs = meta.get("inputs", [])
    if not isinstance(inputs, list) or not all(isinstance(entry, dict) for entry in inputs):
        raise FileError(path, "inputs is not a list of files")
    return meta


def _read_index(path: Path, labels: npt.NDArray[np.uint8]) -> Rows:
    names, records, lines = _read_table(path)
    if len(records) != labels.size:
        raise FileError(path, f"{counted(len(records), 'row')}, expected {labels.size:,}: one for each label")
    cells = dict(zip(names, zip(*records, strict=True), strict=True))
    columns = {name: _integers(path, name, cells[name], lines) for name in ("label", *_INTEGER_COLUMNS)}
    differ = np.flatnonzero(columns.pop("label") != labels)
    if differ.size:
        raise FileError(path, f"the label differs from {LABELS_FILE}", place=f"line {lines[int(differ[0])]}")
    session = np.array(cells.get("session", [""] * labels.size), dtype=np.str_)
    return Rows(session=session, **columns)


def _read_table(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Return the header of an index, its rows that are not blank, and the line number of each row.

    Raises :class:`FileError` for a row that is longer or shorter than the header.
    """
    reader = csv.reader(io.StringIO(read_bytes(path).decode("utf-8", errors="replace"), newline=""))
    records, lines = [], []
    try:
        header = next(reader, [])
        missing = [name for name in ("label", *_INTEGER_COLUMNS) if name not in header]
        if missing:
            raise FileError(path, f"the header lacks {', '.join(missing)}", place="line 1")
        for record in filter(None, reader):
            if len(record) != len(header):
                problem = f"{counted(len(record), 'column')}, expected {len(header)}"
                raise FileError(path, problem, place=f"line {reader.line_num}")
            records.append(record)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise FileError(path, f"is not CSV ({error})", place=f"line {reader.line_num}") from error
    return header, records, lines


def _integers(path: Path, name: str, cells: Sequence[str], lines: Sequence[int]) -> npt.NDArray[np.int64]:
    values = np.empty(len(cells), dtype=np.int64)
    for row, cell in enumerate(cells):
        try:
            values[row] = int(cell)
        except (ValueError, OverflowError) as error:
            problem = f"{name} is {quoted(cell)}, expected a whole number"
            raise FileError(path, problem, place=f"line {lines[row]}") from error
    return values


def _index_csv(dataset: Dataset) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(INDEX_COLUMNS)
    writer.writerows(
        zip(
            range(len(dataset)),
            dataset.labels.tolist(),
            *(getattr(dataset.rows, name).tolist() for name in _INTEGER_COLUMNS),
            ["pos" if label else "neg" for label in dataset.labels.tolist()],
            dataset.rows.session.tolist(),
            strict=True,
        )
    )
    return text.getvalue()

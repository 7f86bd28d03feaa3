"""Read a log file of any format as a :class:`Log`; the format is recognised by content, never by name."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from stinger.errors import FileError, InputError
from stinger.files import StrPath, read_bytes
from stinger.logs.bundle import is_bundle, read_bundle
from stinger.logs.foreign import foreign_format
from stinger.logs.log import CAPTURE_COLUMNS, CSV_COLUMNS, Log, LogFormat, Repairs
from stinger.logs.records import begins_with_records, find_records
from stinger.logs.table import Table, parse_table, with_newlines
from stinger.marks import Marks, trimmed
from stinger.recording import Recording, split_samples
from stinger.sample import (
    CLOCK_WRAP_MS,
    IMU_RATE_HZ,
    SAMPLE_BYTES,
    SAMPLE_RATE_HZ,
    SampleArray,
    clip_to_int16,
    make_samples,
)

CAPTURE_RATE_HZ: Final = IMU_RATE_HZ
"""Nominal rows per second in a capture CSV."""
CAPTURE_EVERY: Final = IMU_RATE_HZ // SAMPLE_RATE_HZ
"""Rows of a capture CSV per sample at 100 Hz."""

_HEAD_BYTES: Final = 4096
_TEXT_BYTES: Final = frozenset(range(0x20, 0x7F)) | frozenset(b"\t\r\n")
_BOM: Final = b"\xef\xbb\xbf"


def read_log(path: StrPath, *, rate_hz: float = CAPTURE_RATE_HZ, every: int = CAPTURE_EVERY) -> Log:
    """Read a log file of any format.

    A capture CSV has ``rate_hz`` rows per second; every ``every``-th row becomes a sample. What a power cut damages
    (zeros, missing bytes, a last line that is cut off) is left out, and listed in the log's ``repairs``. Raises
    :class:`FileError`, with the line or byte, for a file that cannot be read or contains anything else that is
    unexpected.
    """
    return parse_log(read_bytes(path), path, rate_hz=rate_hz, every=every)


def parse_log(data: bytes, path: StrPath, *, rate_hz: float = CAPTURE_RATE_HZ, every: int = CAPTURE_EVERY) -> Log:
    """Parse ``data`` as :func:`read_log` does; ``path`` is the name that errors give."""
    if every < 1 or not 0 < rate_hz < float("inf"):
        raise InputError(f"a capture CSV needs a rate above 0 and every >= 1, not {rate_hz} and {every}")
    if not data:
        raise FileError(path, "is empty: expected sample records or a CSV header")
    format_ = _recognise(data, path)
    if format_ is LogFormat.BUNDLE:
        return _parse_bundle(data, path)
    readings = None
    if format_ is LogFormat.BIN:
        samples, places, repairs = _parse_bin(data, path)
    elif format_ is LogFormat.CSV:
        samples, places, repairs = _parse_csv(data, path)
    else:
        samples, places, repairs, readings = _parse_capture(data, path, rate_hz, every)
    recordings, late, untimed = split_samples(samples)
    if 2 * untimed.size > samples.size:
        raise FileError(
            path,
            f"the times of {untimed.size} of {samples.size} samples run backwards or at random: the clock of the device that "
            "recorded this is not usable",
            place=places(untimed[:1])[0],
        )
    if late.size or untimed.size:
        repairs = replace(repairs, late=places(late), untimed=places(untimed))
        samples = np.delete(samples, np.concatenate((late, untimed)))
    return Log(
        path=str(path),
        format=format_,
        samples=samples,
        recordings=recordings,
        repairs=repairs,
        sha256=hashlib.sha256(data).hexdigest(),
        readings=readings,
    )


def _recognise(data: bytes, path: StrPath) -> LogFormat:
    """Recognise the format: a CSV by its header, sample records by a byte in their first 4 KiB that text cannot contain.

    Records always contain such a byte: the trigger is 0 or 1.
    """
    head = data[:_HEAD_BYTES].removeprefix(_BOM)
    header = with_newlines(head).partition(b"\n")[0].decode("latin-1").strip()
    names = {name.strip() for name in header.split(",")}
    if names & set(CSV_COLUMNS):
        return LogFormat.CSV
    if names & set(CAPTURE_COLUMNS):
        return LogFormat.CAPTURE
    if not _TEXT_BYTES.issuperset(head):
        if is_bundle(data):
            return LogFormat.BUNDLE
        foreign = foreign_format(data)
        # The first bytes of a record are its time, which may happen to be those of another format.
        if foreign is not None and not begins_with_records(data):
            raise FileError(path, foreign)
        return LogFormat.BIN
    raise FileError(
        path,
        f"is text, but '{textwrap.shorten(header, 60, placeholder='...')}' is not the header of a log: "
        f"expected '{','.join(CSV_COLUMNS)}' or '{','.join(CAPTURE_COLUMNS)}'",
        place="line 1",
    )


_Places = Callable[[npt.NDArray[np.intp]], tuple[str, ...]]
"""Returns the place in the file of each of the samples with these indices."""


def _parse_bin(data: bytes, path: StrPath) -> tuple[SampleArray, _Places, Repairs]:
    if len(data) < SAMPLE_BYTES:
        raise FileError(path, f"holds {len(data)} bytes, less than one {SAMPLE_BYTES}-byte sample record")
    found = find_records(data)
    zeros = tuple(cut for cut in found.cuts if cut.zero)
    damaged = tuple(cut for cut in found.cuts if not cut.zero)
    trailing = damaged[-1] if damaged else None
    if trailing is not None and trailing.size < SAMPLE_BYTES and trailing.at + trailing.size == len(data):
        damaged = damaged[:-1]
    else:
        trailing = None
    if not found.samples.size or 2 * sum(cut.size for cut in damaged) > len(data):
        raise _not_records(data, path)
    repairs = Repairs(trailing_bytes=0 if trailing is None else trailing.size, zeros=zeros, damaged=damaged)
    return found.samples, lambda late: tuple(f"byte {found.at[index]}" for index in late.tolist()), repairs


def _not_records(data: bytes, path: StrPath) -> FileError:
    """Return the error for data that is not sample records: with the first trigger that is wrong, if there is one."""
    if not data.rstrip(b"\0"):
        return FileError(path, f"holds {len(data)} bytes, all of them 0: nothing was written to it")
    triggers = np.frombuffer(data, dtype=np.uint8)[SAMPLE_BYTES - 1 :: SAMPLE_BYTES]
    wrong = np.flatnonzero(triggers > 1)
    if not wrong.size:
        return FileError(path, "is not a sample log: the times of its records do not follow each other", place="byte 0")
    return FileError(
        path,
        f"the trigger is {triggers[wrong[0]]}, expected 0 or 1: not a sample log, or damaged from here on",
        place=f"byte {int(wrong[0]) * SAMPLE_BYTES + SAMPLE_BYTES - 1}",
    )


def _parse_csv(data: bytes, path: StrPath) -> tuple[SampleArray, _Places, Repairs]:
    table = parse_table(data.removeprefix(_BOM), CSV_COLUMNS, path, complete_end="trigger")
    table.check("timestamp_ms", 0, CLOCK_WRAP_MS - 1)
    table.check("trigger", 0, 1)
    channels, clipped = clip_to_int16(table.values[:, 1:7])
    samples = make_samples(table.values[:, 0], channels, table.values[:, 7])
    return samples, table.lines_of, _table_repairs(table, clipped)


def _parse_capture(
    data: bytes, path: StrPath, rate_hz: float, every: int
) -> tuple[SampleArray, _Places, Repairs, npt.NDArray[np.int16]]:
    table = parse_table(data.removeprefix(_BOM), CAPTURE_COLUMNS, path, complete_end="trigger_state")
    table.check("trigger_state", 0, 1)
    kept = table.values[::every]
    channels, clipped = clip_to_int16(kept[:, :6])
    time_ms = np.rint(np.arange(kept.shape[0]) * (every * 1000.0 / rate_hz)).astype(np.int64)
    samples = make_samples(time_ms, channels, kept[:, 6])
    return samples, table.lines_of, _table_repairs(table, clipped), clip_to_int16(table.values[:, :6])[0]


def _parse_bundle(data: bytes, path: StrPath) -> Log:
    recordings: list[Recording] = []
    marks: list[Marks] = []
    late_places: list[str] = []
    untimed_places: list[str] = []
    for number, unpacked in enumerate(read_bundle(data, path), start=1):
        found, late, untimed = split_samples(unpacked.samples)
        recordings += found
        marks += [unpacked.marks, *(Marks() for _ in found[1:])]
        late_places += [f"recording {number} sample {index}" for index in late.tolist()]
        untimed_places += [f"recording {number} sample {index}" for index in untimed.tolist()]
    return Log(
        path=str(path),
        format=LogFormat.BUNDLE,
        samples=np.concatenate([recording.samples for recording in recordings]),
        recordings=tuple(recordings),
        repairs=Repairs(late=tuple(late_places), untimed=tuple(untimed_places)),
        sha256=hashlib.sha256(data).hexdigest(),
        marks=trimmed(marks),
    )


def _table_repairs(table: Table, clipped: int) -> Repairs:
    return Repairs(clipped=clipped, zeros=table.zeros, torn_lines=table.torn_lines)

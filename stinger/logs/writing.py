"""Write samples as ``.bin`` or ``.csv``, atomically."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from stinger.errors import FileError
from stinger.files import StrPath, write_bytes
from stinger.logs.log import CSV_COLUMNS, LogFormat
from stinger.sample import SAMPLE_DTYPE, SampleArray

_BY_SUFFIX = {".bin": LogFormat.BIN, ".csv": LogFormat.CSV}


def log_format_of(path: StrPath) -> LogFormat:
    """Return the format for the suffix of ``path``. Raises :class:`FileError` unless that is ``.bin`` or ``.csv``."""
    format_ = _BY_SUFFIX.get(Path(path).suffix.lower())
    if format_ is None:
        raise FileError(path, "the suffix decides the format: expected .bin or .csv")
    return format_


def write_log(path: StrPath, samples: SampleArray) -> None:
    """Write ``samples`` ``(n,)`` in the format of the suffix of ``path``, atomically. Raises :class:`FileError`."""
    format_ = log_format_of(path)
    write_bytes(path, encode_csv(samples) if format_ is LogFormat.CSV else encode_bin(samples))


def encode_bin(samples: SampleArray) -> bytes:
    """Return ``samples`` ``(n,)`` as plain 17-byte records."""
    return samples.astype(SAMPLE_DTYPE, copy=False).tobytes()


def encode_csv(samples: SampleArray) -> bytes:
    """Return ``samples`` ``(n,)`` as CSV: a header, and a line for each sample."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(samples.tolist())
    return text.getvalue().encode("ascii")

"""The names of recordings: the UTC time of the first sample, and a suffix for the kind of file."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from stinger.utc import utc_time

RECORDING_SUFFIX: Final = ".bin"
"""Suffix of a file of samples."""
SIDECAR_SUFFIX: Final = ".json"
"""Suffix of the sidecar, which describes the recording of the same name."""
STEM: Final = re.compile(r"(\d{8}T\d{6}\.\d{3})Z(_\d+)?")
"""Matches the name of a recording without its suffix, as :func:`recording_stem` writes it; group 1 is the time."""

_STEM_TIME: Final = "%Y%m%dT%H%M%S.%f"


def recording_stem(unix_s: float) -> str:
    """Return the name, without suffix, of a recording that starts at ``unix_s``: ``20260131T170203.456Z``.

    Names sort by time.
    """
    time = utc_time(unix_s)
    return f"{time.year:04d}{time:%m%dT%H%M%S}.{time.microsecond // 1000:03d}Z"


def stem_time(stem: str) -> datetime | None:
    """Return the UTC time in the name of a recording, or None if ``stem`` is not such a name.

    >>> stem_time("20260131T170203.456Z_002")
    datetime.datetime(2026, 1, 31, 17, 2, 3, 456000, tzinfo=datetime.timezone.utc)
    """
    match = STEM.fullmatch(stem)
    try:
        return datetime.strptime(match[1], _STEM_TIME).replace(tzinfo=UTC) if match else None
    except ValueError:  # digits, but not a time, such as a 13th month
        return None

"""Unix time as a date, for any number: also before 1970 and after 3000, where Windows has no date for it."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def utc_time(unix_s: float) -> datetime:
    """Return the Unix time ``unix_s`` as UTC, to the microsecond; the first or last possible date for one outside.

    >>> utc_time(-0.5)
    datetime.datetime(1969, 12, 31, 23, 59, 59, 500000, tzinfo=datetime.timezone.utc)
    """
    if math.isnan(unix_s):
        return _FIRST
    try:
        return _EPOCH + timedelta(seconds=unix_s)
    except OverflowError:
        return _FIRST if unix_s < 0 else _LAST


def utc_text(unix_s: float) -> str:
    """Return the Unix time ``unix_s`` as UTC text, ISO 8601 with milliseconds.

    >>> utc_text(1700000000.1239)
    '2023-11-14T22:13:20.123Z'
    """
    return utc_time(unix_s).isoformat(timespec="milliseconds").replace("+00:00", "Z")

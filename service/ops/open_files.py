"""Raises the limit of open files: with a recording and a link per device, the usual 1,024 are soon reached."""

from __future__ import annotations

import sys
from typing import Final

_UNKNOWN_LIMIT: Final = 4096


def raise_open_file_limit(wanted: int = 65_536) -> int:
    """Raise this process's limit of open files to ``wanted``, or as far as the system allows; return the limit.

    On Windows, which has no such limit to set, nothing is changed.
    """
    if sys.platform == "win32":
        return _UNKNOWN_LIMIT
    import resource  # noqa: PLC0415 - does not exist on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return wanted if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # macOS allows less than it reports
        return soft
    return most

"""How many files the process may hold open: a recording and a link for each device soon reach the usual 1,024."""

from __future__ import annotations

import sys
from typing import Final

_UNKNOWN_LIMIT: Final = 4096


def allow_open_files(wanted: int = 65_536) -> int:
    """Raise this process's limit of open files to ``wanted``, or as far as the system lets it; return the limit.

    Where the system has no such limit to set (Windows), nothing is changed.
    """
    if sys.platform == "win32":
        return _UNKNOWN_LIMIT
    import resource  # noqa: PLC0415 - there is none on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return wanted if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # macOS allows less than it says
        return soft
    return most

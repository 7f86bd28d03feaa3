"""Read the logs that a command is given, with a warning for whatever is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

from models.repeats import without_repeats
from models.sessions import Session, open_sessions
from models.storage.logs import read_logs
from stinger.cli.progress import progress_bar
from stinger.cli.repairs import warn, warn_of_repairs
from stinger.logs import Log


def open_logs(paths: Sequence[str], *, rate_hz: float, every: int) -> list[Log]:
    """Return the logs at ``paths``, also from shared storage, and print a warning for each repair.

    Raises :class:`~stinger.errors.InputError` for a log that cannot be read.
    """
    logs = read_logs(paths, bar=progress_bar, warn=warn, rate_hz=rate_hz, every=every)
    for log in logs:
        warn_of_repairs(log)
    return logs


def distinct_sessions(logs: Sequence[Log], *, min_shot_gap_ms: float) -> tuple[Session, ...]:
    """Return the sessions of ``logs``, with samples that are in several of them used once, and print warnings about it."""
    distinct = without_repeats(open_sessions(logs, min_shot_gap_ms=min_shot_gap_ms))
    for line in distinct.warnings:
        warn(line)
    return distinct.sessions

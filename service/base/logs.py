"""Logging of the daemon: one line an event on stderr, as ``key=value`` or JSON; a repeated failure once, then quietly.

A message begins with the name of what happened and goes on with ``key=value``, as in ``recording_resumed lost=12``.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Final, TextIO

_HANDLER: Final = "stinger"
_PRIORITIES: Final = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.NOTSET: 7}


def set_up_logging(level: str = "info", format_: str = "text", stream: TextIO | None = None) -> None:
    """Have the process log to ``stream`` (stderr) from ``level`` on, as ``text`` or ``json``. Again: anew, not twice."""
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if handler.get_name() == _HANDLER]:
        root.removeHandler(old)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.set_name(_HANDLER)
    formatter = _JsonFormatter() if format_ == "json" else _TextFormatter()
    handler.setFormatter(_JournalFormatter(formatter) if _is_the_journals(handler.stream) else formatter)
    root.addHandler(handler)
    root.setLevel(level.upper())


class Repeated:
    """Logs a failure that comes again and again: at warning when it is new or another one, then at debug.

    >>> failure = Repeated(logging.getLogger("link"), "link_lost")
    >>> failure.log("cable pulled", device="a")
    True
    >>> failure.log("cable pulled", device="a")
    False
    >>> failure.over()
    1
    """

    __slots__ = ("_event", "_logger", "_reason", "_repeats")

    def __init__(self, logger: logging.Logger, event: str) -> None:
        self._logger = logger
        self._event = event
        self._reason: str | None = None
        self._repeats = 0

    def log(self, reason: str, **values: object) -> bool:
        """Log that it failed because of ``reason``; True if that was told at warning."""
        new = reason != self._reason
        self._repeats = 0 if new else self._repeats + 1
        self._reason = reason
        level = logging.WARNING if new else logging.DEBUG
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", event_text(self._event, reason=reason, **values))
        return new

    def over(self) -> int:
        """It works again: the next failure is new. How many repeats were kept quiet."""
        repeats, self._reason, self._repeats = self._repeats, None, 0
        return repeats


def event_text(event: str, **values: object) -> str:
    r"""``event key=value ...``; a value that is not one plain word is quoted.

    >>> event_text("link_lost", device="a", reason='no "way"', after_s=0.25)
    'link_lost device=a reason="no \\"way\\"" after_s=0.25'
    """
    return " ".join([event, *(f"{name}={_quoted(str(value))}" for name, value in values.items())])


def _quoted(text: str) -> str:
    plain = text.isprintable() and text and not set(text) & set(' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)


class _TextFormatter(logging.Formatter):
    """``2026-01-31T17:02:03.456Z warning service.recording.recorder recording_resumed lost=12``."""

    def format(self, record: logging.LogRecord) -> str:
        # A line end that came from outside must not begin a line of its own.
        message = record.getMessage().replace("\r", r"\r").replace("\n", r"\n")
        line = f"{_time(record)} {record.levelname.lower()} {record.name} {message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        values = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            values["traceback"] = self.formatException(record.exc_info)
        return json.dumps(values, ensure_ascii=False)


class _JournalFormatter(logging.Formatter):
    """Each line with its level as systemd's journal reads it, so that it can be asked for: sd-daemon(3)."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        priority = next(number for level, number in _PRIORITIES.items() if record.levelno >= level)
        return "\n".join(f"<{priority}>{line}" for line in self._formatter.format(record).split("\n"))


def _is_the_journals(stream: TextIO) -> bool:
    """Whether ``stream`` leads to the journal, which names it in the environment."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):  # no file, or a closed one
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _time(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"

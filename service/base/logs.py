"""Structured logging for the daemon: an event name and ``key=value`` pairs.

Written to stderr as text or as JSON. Log through ``get_logger``. Records of third-party libraries, which use
``logging`` directly, get the same layout.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from dataclasses import dataclass
from typing import Final, TextIO

from stinger.utc import utc_text
from stinger.wording import printable

_HANDLER: Final = "stinger"
# Priorities of sd-daemon(3) by the lowest logging level that has each.
_PRIORITIES: Final = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.NOTSET: 7}
# JSON fields that every record has; if an event has a key of that name, an underscore is appended to it.
_RECORD_FIELDS: Final = frozenset({"time", "level", "logger", "event", "traceback"})


def get_logger(name: str) -> Logger:
    """Return the logger of the module ``name``."""
    return Logger(logging.getLogger(name))


def set_up_logging(level: str = "info", format_: str = "text", stream: TextIO | None = None) -> None:
    """Log everything from ``level`` up to ``stream`` (default: stderr), as ``text`` or ``json``.

    A second call replaces the first.
    """
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if handler.get_name() == _HANDLER]:
        root.removeHandler(old)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.set_name(_HANDLER)
    formatter = _JsonFormatter() if format_ == "json" else _TextFormatter()
    handler.setFormatter(_JournalFormatter(formatter) if _is_journal(handler.stream) else formatter)
    root.addHandler(handler)
    root.setLevel(level.upper())


class Logger:
    """Logs events: a name (a snake_case fact in the past tense, such as ``device_added``) and ``key=value`` pairs.

    An event below the logger's level costs one method call; its values are only turned into text when it is written.

    >>> get_logger("link").info("link_lost", device="a", after_s=0.25)
    """

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def is_enabled_for(self, level: int) -> bool:
        """Return whether events of ``level`` are logged: to skip work whose only use is to log it."""
        return self._logger.isEnabledFor(level)

    def debug(self, event: str, /, **values: object) -> None:
        """Log an event that helps to find a fault."""
        if self._logger.isEnabledFor(logging.DEBUG):
            self._logger.debug(LogEvent(event, values), stacklevel=2)

    def info(self, event: str, /, **values: object) -> None:
        """Log an event of normal operation."""
        if self._logger.isEnabledFor(logging.INFO):
            self._logger.info(LogEvent(event, values), stacklevel=2)

    def warning(self, event: str, /, **values: object) -> None:
        """Log an event that an operator should know of."""
        if self._logger.isEnabledFor(logging.WARNING):
            self._logger.warning(LogEvent(event, values), stacklevel=2)

    def error(self, event: str, /, **values: object) -> None:
        """Log an event that needs an operator."""
        if self._logger.isEnabledFor(logging.ERROR):
            self._logger.error(LogEvent(event, values), stacklevel=2)

    def exception(self, event: str, /, *, level: int = logging.ERROR, **values: object) -> None:
        """Log an error, or an event of another ``level``, with the traceback of the exception that is being handled."""
        if self._logger.isEnabledFor(level):
            self._logger.log(level, LogEvent(event, values), exc_info=sys.exc_info(), stacklevel=2)

    def log(self, level: int, event: str, /, **values: object) -> None:
        """Log an event at ``level``, a constant of ``logging``."""
        if self._logger.isEnabledFor(level):
            self._logger.log(level, LogEvent(event, values), stacklevel=2)


class RepeatedFailure:
    """Logs a failure that may repeat: at warning when it is new or its reason changes, otherwise at debug.

    >>> failure = RepeatedFailure(get_logger("link"), "link_lost")
    >>> failure.log("cable pulled", device="a")
    True
    >>> failure.log("cable pulled", device="a")
    False
    >>> failure.reset()
    1
    """

    __slots__ = ("_event", "_logger", "_reason", "_repeats")

    def __init__(self, logger: Logger, event: str) -> None:
        self._logger = logger
        self._event = event
        self._reason: str | None = None
        self._repeats = 0

    def log(self, reason: str, **values: object) -> bool:
        """Log that the operation failed because of ``reason``; return True if it was logged at warning."""
        new = reason != self._reason
        self._repeats = 0 if new else self._repeats + 1
        self._reason = reason
        self._logger.log(logging.WARNING if new else logging.DEBUG, self._event, reason=reason, **values)
        return new

    def reset(self) -> int:
        """Record that the operation works again, so that the next failure is new.

        Return how many repeats there were.
        """
        repeats, self._reason, self._repeats = self._repeats, None, 0
        return repeats


@dataclass(frozen=True, slots=True)
class LogEvent:
    r"""The message of a log record: an event name and its values. A value that is not one plain word is quoted.

    >>> print(LogEvent("link_lost", {"device": "a", "reason": 'no "way"', "after_s": 0.25}))
    link_lost device=a reason="no \"way\"" after_s=0.25
    """

    name: str
    values: dict[str, object]

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{name}={_quoted(str(value))}" for name, value in self.values.items())])


def _quoted(text: str) -> str:
    plain = text.isprintable() and text and not set(text) & set(' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)


class _TextFormatter(logging.Formatter):
    """Writes ``2026-01-31T17:02:03.456Z warning service.recording.recorder recording_resumed lost=12``."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname.lower()} {record.name} {printable(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonFormatter(logging.Formatter):
    """Writes one JSON object a line: time, level, logger, event, the event's values as fields, and any traceback."""

    def format(self, record: logging.LogRecord) -> str:
        event = record.msg if isinstance(record.msg, LogEvent) else LogEvent(record.getMessage(), {})
        fields: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": event.name,
        }
        for name, value in event.values.items():
            fields[f"{name}_" if name in _RECORD_FIELDS else name] = _json_value(value)
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields)


def _json_value(value: object) -> object:
    """Return ``value`` if JSON can represent it, else its text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, bool | int) else str(value)


class _JournalFormatter(logging.Formatter):
    """Prefixes each line with the priority that systemd's journal files it under: sd-daemon(3)."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        priority = next(number for level, number in _PRIORITIES.items() if record.levelno >= level)
        return "\n".join(f"<{priority}>{line}" for line in self._formatter.format(record).split("\n"))


def _is_journal(stream: TextIO) -> bool:
    """Return whether ``stream`` is connected to the journal, which systemd names in the environment."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):  # not a file, or a closed one
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _time(record: logging.LogRecord) -> str:
    return utc_text(record.created)

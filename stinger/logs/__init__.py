"""Log files: read and write the files in which recordings are stored.

There are four formats, recognised by content: ``.bin`` (plain sample records), ``.csv`` (the same as text), the capture
CSV of older firmware, which can only be read, and the bundle of several recordings (:mod:`stinger.logs.bundle`).
"""

from stinger.logs.log import Log, LogFormat, Repairs
from stinger.logs.marked import read_marked_log
from stinger.logs.reading import parse_log, read_log
from stinger.logs.writing import log_format_of, write_log

__all__ = ["Log", "LogFormat", "Repairs", "log_format_of", "parse_log", "read_log", "read_marked_log", "write_log"]

r"""The lines in which a child process of the page reports its progress, among the lines that its command prints.

Each is a JSON array after the control character RS, as in a JSON text sequence (RFC 7464). No text that a command
prints can look like one: ``stinger`` escapes control characters in its output.

>>> progress_line("Reading", 2, 7)
'\x1e["Reading", 2, 7]\n'
>>> parse_progress('\x1e["Reading", 2, 7]')
('Reading', 2, 7)
"""

from __future__ import annotations

import json
from typing import Final

PACE_S: Final = 0.1
"""Progress is reported at most this often, in seconds."""
_MARK: Final = "\x1e"


def progress_line(label: str, done: int, of: int) -> str:
    """Return the line that reports ``done`` of ``of`` steps of the work called ``label``."""
    return f"{_MARK}{json.dumps([label, done, of])}\n"


def parse_progress(line: str) -> tuple[str, int, int] | None:
    """Return label, steps done and all steps from a line; ``None`` for any other line."""
    if not line.startswith(_MARK):
        return None
    try:
        parts = json.loads(line[1:])
    except (ValueError, RecursionError):
        return None
    if not isinstance(parts, list) or [type(part) for part in parts] != [str, int, int] or parts[2] < 1:
        return None
    label, done, of = parts
    return label, min(max(done, 0), of), of

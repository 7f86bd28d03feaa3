"""The name of this daemon's folder in shared storage: made once for each data folder, so it is never shared."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from secrets import token_hex
from typing import Final

from stinger.errors import FileError
from stinger.files import read_bytes, write_bytes

DAEMON_ID_NAME: Final = "daemon-id"
"""The name of its file in the data folder."""

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,80}")
_MAX_BYTES: Final = 1000


def daemon_id(data_dir: Path) -> str:
    """Return the id of the daemon whose data folder is ``data_dir``, such as ``hall-1-3f9c02ab``.

    Make one if it has none.

    Raises :class:`FileError` if the file cannot be written, or holds something else.
    """
    path = data_dir / DAEMON_ID_NAME
    if path.exists():
        found = read_bytes(path, at_most=_MAX_BYTES).decode(errors="replace").strip()
        if not _ID.fullmatch(found):
            raise FileError(path, "does not hold the id of a daemon: delete it, and the next start makes another")
        return found
    made = f"{_host()}-{token_hex(4)}"
    write_bytes(path, f"{made}\n".encode())
    return made


def _host() -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "-", socket.gethostname().partition(".")[0]).strip("-")
    return name[:40].lower() or "daemon"

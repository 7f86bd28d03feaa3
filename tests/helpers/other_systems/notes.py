"""Notes what was refused, so that a test sees it even if the program ignores the error."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Final

from tests.helpers.other_systems import FOLDER_VARIABLE, REFUSALS

FOLDER: Final = os.environ[FOLDER_VARIABLE]
_FRAMES: Final = 3
_HERE: Final = os.path.dirname(__file__)


def note(refusal: str) -> None:
    """Add a line: what was refused, and the innermost callers in the program."""
    frames = [frame for frame in traceback.extract_stack() if not frame.filename.startswith(_HERE)]
    own = [
        f"{os.path.basename(frame.filename)}:{frame.lineno}"
        for frame in frames
        if "site-packages" not in frame.filename
    ]
    line = f"{refusal} [{' < '.join(reversed(own[-_FRAMES:]))}] {os.path.basename(sys.argv[0])}\n"
    fd = os.open(os.path.join(FOLDER, REFUSALS), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, line.encode(errors="replace"))
    finally:
        os.close(fd)

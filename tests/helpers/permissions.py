"""Files that the tests may not read, also where they run as root, who may read any."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest

_NOBODY = 65534

needs_permissions = pytest.mark.skipif(
    not hasattr(os, "setresuid") and (not hasattr(os, "geteuid") or os.geteuid() == 0),
    reason="no file that this user may not read",
)


@contextmanager
def unreadable(path: Path) -> Iterator[str]:
    """In the block ``path`` may not be read; the block runs in its folder and is given its name there.

    What else the block needs must have been imported before it.
    """
    path.chmod(0)
    path.parent.chmod(0o755)  # else it is the folder that may not be looked into
    is_root = os.geteuid() == 0
    with chdir(path.parent):
        if is_root:
            os.setresuid(_NOBODY, _NOBODY, 0)  # the real one too: that is whom os.access() asks about
        try:
            yield path.name
        finally:
            if is_root:
                os.setresuid(0, 0, 0)

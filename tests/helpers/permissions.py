"""Files without read permission, for tests that may run as root, who can read every file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest

_NOBODY = 65534

needs_permissions = pytest.mark.skipif(
    not hasattr(os, "setresuid") and (not hasattr(os, "geteuid") or os.geteuid() == 0),
    reason="every file is readable for this user",
)


@contextmanager
def unreadable(path: Path) -> Iterator[str]:
    """Deny reading ``path`` within the block, which runs in the file's folder; yield the file's name there.

    As root, the block runs as user nobody. Import what it needs before it: nobody may be unable to read the modules.
    """
    path.chmod(0)
    path.parent.chmod(0o755)  # otherwise the error would be about the folder
    is_root = os.geteuid() == 0
    with chdir(path.parent):
        if is_root:
            os.setresuid(_NOBODY, _NOBODY, 0)  # the real user id too: os.access() checks that one
        try:
            yield path.name
        finally:
            if is_root:
                os.setresuid(0, 0, 0)

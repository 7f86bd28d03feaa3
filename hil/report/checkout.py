"""Finds the commit of the running program."""

from __future__ import annotations

import json
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Final

_TIMEOUT_S: Final = 10.0


def commit(root: Path) -> str | None:
    """Return the commit of the checkout at ``root``, ``with changes`` if files differ.

    Without a checkout, it is the commit that pip installed.
    """
    if not (root / ".git").exists():
        return _installed_commit()
    head = _git(root, "rev-parse", "HEAD")
    if not head:
        return None
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{head} with changes" if changes else head


def _git(root: Path, *arguments: str) -> str | None:
    try:
        ended = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(root), *arguments],  # noqa: S607 - the user's git
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout.strip()


def _installed_commit() -> str | None:
    """Return the commit that pip recorded when it installed from a repository (PEP 610)."""
    try:
        direct_url = metadata.distribution("stinger-ml").read_text("direct_url.json")
        found = json.loads(direct_url or "{}").get("vcs_info", {}).get("commit_id")
    except (metadata.PackageNotFoundError, ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None

"""Which commit runs here."""

from __future__ import annotations

import json
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Final

_PATIENCE_S: Final = 10.0


def commit(root: Path) -> str | None:
    """The commit of the checkout at ``root``, ``with changes`` if files in it differ; else the one pip installed from."""
    if not (root / ".git").exists():
        return _installed_commit()
    head = _git(root, "rev-parse", "HEAD")
    if not head:
        return None
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{head} with changes" if changes else head


def _git(root: Path, *arguments: str) -> str | None:
    try:
        ended = subprocess.run(  # noqa: S603 - fixed words
            ["git", "-C", str(root), *arguments],  # noqa: S607 - whichever git the user has
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout.strip()


def _installed_commit() -> str | None:
    """What pip noted when it installed from a repository (PEP 610)."""
    try:
        noted = metadata.distribution("stinger-ml").read_text("direct_url.json")
        found = json.loads(noted or "{}").get("vcs_info", {}).get("commit_id")
    except (metadata.PackageNotFoundError, ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None

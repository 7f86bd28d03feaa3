"""A small file system in memory that a scenario can fill."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from stinger.errors import StingerError

SMALL_DISK_MB: Final = 64


class SmallDisk:
    """Mounts a file system of 64 MB in memory at ``folder`` while entered. Needs Linux, and root."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @staticmethod
    def skip_reason() -> str | None:
        """Return why no such disk can be mounted here; ``None`` if it can."""
        if not sys.platform.startswith("linux") or os.geteuid() != 0 or shutil.which("mount") is None:
            return "it fills a small disk, which only root on Linux can mount"
        return None

    def __enter__(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MB}m", "tmpfs", str(self._folder))

    def __exit__(self, *_: object) -> None:
        # Lazy, as a file may still be open there, such as the one that a thread is writing to fill the disk.
        _run("umount", "--lazy", str(self._folder))


def fill_disk(path: Path) -> None:
    """Write ``path`` until its file system has no byte left."""
    with path.open("wb", buffering=0) as file:
        block = bytes(2**16)
        while block:
            try:
                file.write(block)
            except OSError:  # the rest of the disk is smaller than this block
                block = block[: len(block) // 2]


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the bench's own commands
    if done.returncode:
        raise StingerError(f"{' '.join(command)}: {done.stderr.strip()}")

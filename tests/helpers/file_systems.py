"""Small and read-only file systems, mounted for a test; skips where mounting is not permitted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

ReadOnly = Callable[[Path], AbstractContextManager[None]]
"""Makes a folder read-only, also for root, while a block runs."""
SmallDisk = Callable[[Path, int], None]
"""Mounts an empty file system of so many KiB on a folder, which is created, until the test ends."""


@pytest.fixture
def read_only() -> ReadOnly:
    """Return a function that mounts a folder read-only for the length of a block."""
    _skip_without_mounts()

    @contextmanager
    def read_only_mount(folder: Path) -> Iterator[None]:
        _mount("--bind", str(folder), folder)
        try:
            _mount("-o", "remount,bind,ro", folder)
            yield
        finally:
            _unmount(folder)

    return read_only_mount


@pytest.fixture
def small_disk_at() -> Iterator[SmallDisk]:
    """Return a function that mounts a small file system."""
    _skip_without_mounts()
    with ExitStack() as stack:

        def mount(folder: Path, kib: int) -> None:
            folder.mkdir(parents=True)
            _mount("-t", "tmpfs", "-o", f"size={kib}k", "none", folder)
            stack.callback(_unmount, folder)

        yield mount


def _skip_without_mounts() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a file system needs root on Linux")


def _mount(*arguments: str | Path) -> None:
    if subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", folder], check=True)

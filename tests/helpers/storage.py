"""Fixtures for shared storage: an S3 server, and an empty folder of each kind of storage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stinger.storage_url import StorageUrl, parse_storage_url

if TYPE_CHECKING:  # takes a second to load
    from tests.helpers.s3_server import S3Server


@pytest.fixture(scope="session")
def _running_s3_server() -> Iterator[S3Server]:
    import fsspec.asyn  # noqa: PLC0415 - only tests that use storage load it

    from tests.helpers.s3_server import s3_server  # noqa: PLC0415 - takes a second to load

    fsspec.asyn.get_loop()  # its thread and descriptors stay until this process ends
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(_running_s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> S3Server:
    """An S3 server that this process, and those that it starts, use with ``s3://``; copies are kept in ``tmp_path``."""
    for name, value in _running_s3_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return _running_s3_server


@pytest.fixture
def s3_url(s3: S3Server) -> StorageUrl:
    """An empty folder in a bucket of its own."""
    return parse_storage_url(f"s3://{s3.new_bucket()}/hall")


@pytest.fixture(params=["s3", "file", "memory"])
def any_storage(request: pytest.FixtureRequest, s3: S3Server, tmp_path: Path) -> StorageUrl:
    """An empty folder in each kind of storage in turn."""
    if request.param == "s3":
        return parse_storage_url(f"s3://{s3.new_bucket()}/hall")
    if request.param == "file":
        (tmp_path / "mounted" / "hall").mkdir(parents=True)
        return parse_storage_url(f"file://{tmp_path}/mounted/hall")
    return parse_storage_url(f"memory://test-{time.monotonic_ns()}/hall")

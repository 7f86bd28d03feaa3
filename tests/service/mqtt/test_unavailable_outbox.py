"""Outbox files that cannot be used now: the error says why, and what is in the way is left as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.mqtt.outbox_file import UnavailableFileError, open_outbox_file
from tests.helpers.file_systems import ReadOnly


def open_now(path: Path) -> None:
    set_aside: list[str] = []
    try:
        file, _ = open_outbox_file(path, limit=10, on_set_aside=set_aside.append)
        file.close()
    finally:
        assert set_aside == []


def test_folder_that_cannot_be_created_is_an_error_that_may_pass(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnavailableFileError, match="exists and is not a folder"):
        open_now(tmp_path / "file" / "outbox.db")
    assert (tmp_path / "file").read_text() == "in the way"


def test_read_only_file_system_is_an_error_that_may_pass_and_keeps_the_messages(
    tmp_path: Path, read_only: ReadOnly
) -> None:
    path = tmp_path / "data" / "outbox.db"
    open_now(path)
    before = path.read_bytes()
    with read_only(path.parent), pytest.raises(UnavailableFileError, match="unable to open database file"):
        open_now(path)
    assert path.read_bytes() == before
    open_now(path)

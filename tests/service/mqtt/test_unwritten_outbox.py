"""What the disk does not take at once (a locked file, a full disk, a read-only folder) is written to the outbox later."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from service.mqtt.channels import DeliveryPolicy
from service.mqtt.messages import OutgoingMessage
from service.mqtt.outbox import Outbox
from tests.helpers.file_systems import ReadOnly, SmallDisk
from tests.service.mqtt.outboxes import contents, numbered


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "outbox.db"


def test_what_could_not_be_written_to_a_locked_file_is_written_as_soon_as_it_is_free(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    problems: list[str] = []
    with Outbox(path, on_problem=problems.append) as outbox:
        outbox.put(numbered(0))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            for number in range(1, 59):  # a new lock each time
                other.execute("BEGIN IMMEDIATE")
                outbox.put(numbered(number))
                outbox.retry()
                assert outbox.unwritten == 1
                other.execute("ROLLBACK")
                outbox.retry()
                assert outbox.unwritten == 0
            assert other.execute("SELECT count(*) FROM message").fetchone() == (59,)
    assert [r.levelno for r in caplog.records if "outbox_not_written" in r.message].count(logging.WARNING) == 1
    assert problems[-1] == ""
    assert "locked" in problems[0]


def test_what_could_not_be_written_is_written_when_closing(path: Path) -> None:
    with Outbox(path) as outbox:
        outbox.put(numbered(0))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(1, 20):
                outbox.put(numbered(number))
            entry = outbox.take()
            assert entry is not None
            outbox.acknowledge(entry.number)
    with Outbox(path) as outbox:
        assert contents(outbox) == [b"%d" % number for number in range(1, 20)]


def test_a_full_disk_is_logged_as_a_warning_once_and_all_is_written_when_there_is_room(
    tmp_path: Path, small_disk_at: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "disk"
    small_disk_at(folder, 400)
    with Outbox(folder / "outbox.db") as outbox:
        outbox.put(numbered(0))
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(shutil.disk_usage(folder).free))
        big = OutgoingMessage("t", b"x" * 50_000, 1, retain=False, delivery=DeliveryPolicy.EVERY)
        for _ in range(3):
            outbox.put(big)
            outbox.retry()
        assert outbox.unwritten == 3
        ballast.unlink()
        outbox.retry()
        assert outbox.unwritten == 0
    assert [r.levelno for r in caplog.records if "outbox_not_written" in r.message].count(logging.WARNING) == 1
    with Outbox(folder / "outbox.db") as outbox:
        assert outbox.depth == 4


def test_a_read_only_folder_is_used_as_soon_as_it_can_be_written_to(path: Path, read_only: ReadOnly) -> None:
    with Outbox(path) as outbox:
        for number in range(3):
            outbox.put(numbered(number))
    problems: list[str] = []
    with read_only(path.parent):
        outbox = Outbox(path, on_problem=problems.append)
        outbox.put(numbered(3))
        outbox.put(numbered(4))
        entry = outbox.take()
        assert entry is not None
        outbox.retry()
        assert outbox.unwritten == 2
    outbox.retry()
    assert (outbox.depth, outbox.unwritten, problems[-1]) == (5, 0, "")
    outbox.acknowledge(entry.number)
    outbox.close()
    with Outbox(path) as outbox:
        assert contents(outbox) == [b"0", b"1", b"2", b"4"]


def test_a_file_that_may_not_be_opened_yet_is_opened_later(path: Path) -> None:
    allowed = False
    with Outbox(path, may_open=lambda: allowed) as outbox:
        outbox.put(numbered(1))
        assert not path.exists()
        allowed = True
        outbox.retry()
        assert path.exists()
        assert outbox.unwritten == 0


def test_changes_that_cannot_be_written_together_are_kept_in_memory(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deferred: list[Callable[[], None]] = []
    with Outbox(path, defer=deferred.append) as outbox:
        outbox.put(numbered(1))
        outbox.put(numbered(2))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            deferred.pop()()
        assert "outbox_not_written" in caplog.text
        assert outbox.depth == 2
        outbox.put(numbered(3))
        assert deferred == []
        assert outbox.unwritten == 3
        outbox.retry()
        assert outbox.unwritten == 0
        assert len([outbox.take() for _ in range(3)]) == 3

"""Outbox files that are damaged, or are no outbox: moved aside, and nothing else is lost."""

from __future__ import annotations

import logging
import math
import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.damaged_outboxes import try_one
from benchmarks.outbox_damage import KINDS
from service.mqtt.outbox import Outbox
from tests.service.mqtt.outboxes import contents, numbered

DAMAGED_OUTBOXES = math.ceil(int(os.environ.get("DAMAGED_OUTBOXES", "45")) / len(KINDS))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "outbox.db"


@pytest.mark.parametrize("damage", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_moved_aside_and_a_new_one_created(
    path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(damage)
    with Outbox(path) as outbox:
        assert outbox.depth == 0
        outbox.put(numbered(1))
    with Outbox(path) as outbox:
        assert contents(outbox) == [b"1"]
    (aside,) = path.parent.glob("outbox.db.damaged-*")
    assert aside.read_bytes() == damage
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_file_damaged_in_its_middle_is_moved_aside(path: Path) -> None:
    with Outbox(path) as outbox:
        for n in range(1000):
            outbox.put(numbered(n))
    data = bytearray(path.read_bytes())
    data[8192 : len(data) - 4096] = random.Random(1).randbytes(len(data) - 12288)
    path.write_bytes(data)
    with Outbox(path) as outbox:
        assert outbox.depth == 0


def test_the_database_of_another_program_is_moved_aside(path: Path) -> None:
    path.parent.mkdir()
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE theirs (x)")
    database.close()
    with Outbox(path) as outbox:
        assert outbox.depth == 0
    assert len(list(path.parent.glob("*.damaged-*"))) == 1


def test_a_folder_in_its_place_is_moved_aside(path: Path) -> None:
    path.mkdir(parents=True)
    problems: list[str] = []
    with Outbox(path, on_problem=problems.append) as outbox:
        outbox.put(numbered(1))
        assert outbox.set_aside_files == 1
    (problem,) = problems
    assert "not a regular file" in problem
    with Outbox(path) as outbox:
        assert contents(outbox) == [b"1"]


@pytest.mark.parametrize("first", range(DAMAGED_OUTBOXES))
def test_an_outbox_damaged_in_any_way_can_be_used(first: int, tmp_path: Path) -> None:
    for kind in KINDS:
        try_one(tmp_path, kind, first)


def test_damaged_files_of_one_second_are_all_kept_but_at_most_ten(path: Path) -> None:
    path.parent.mkdir()
    for number in range(12):
        path.write_bytes(b"damage %d" % number)
        Outbox(path).close()
    aside = sorted(one.read_bytes() for one in path.parent.glob("*.damaged-*"))
    assert aside == sorted(b"damage %d" % number for number in range(2, 12))


def test_a_file_that_is_damaged_while_it_is_open_is_replaced_and_nothing_is_lost(path: Path) -> None:
    with Outbox(path) as outbox:
        for number in range(5):
            outbox.put(numbered(number))
        entry = outbox.take()
        assert entry is not None
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("DROP TABLE message")
        outbox.put(numbered(5))
        outbox.retry()
        assert (outbox.set_aside_files, outbox.unwritten) == (1, 0)
    with Outbox(path) as outbox:
        assert contents(outbox) == [b"%d" % number for number in range(6)]


def test_a_file_of_a_newer_version_is_moved_aside_unchanged(path: Path) -> None:
    with Outbox(path) as outbox:
        outbox.put(numbered(1))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA user_version = 2")
    with Outbox(path) as outbox:
        assert outbox.depth == 0
    (aside,) = path.parent.glob("*.damaged-*")
    with closing(sqlite3.connect(aside)) as other:
        assert other.execute("SELECT count(*) FROM message").fetchone() == (1,)

"""A message stays in the outbox until it is acknowledged, whatever happens to the process or the file."""

from __future__ import annotations

import logging
import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.damaged_outboxes import try_one
from benchmarks.outbox_damage import KINDS
from service.mqtt.channels import DeliveryPolicy
from service.mqtt.messages import OutgoingMessage
from service.mqtt.outbox import Outbox
from tests.helpers.file_systems import ReadOnly, SmallDisk
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT

DAMAGED_OUTBOXES = math.ceil(int(os.environ.get("DAMAGED_OUTBOXES", "45")) / len(KINDS))
"""How many of each kind."""


def numbered(number: int) -> OutgoingMessage:
    return OutgoingMessage(
        f"stinger/b{number % 3}/shot", b"%d" % number, 1, retain=False, delivery=DeliveryPolicy.EVERY
    )


def contents(outbox: Outbox) -> list[bytes]:
    """Everything that waits, in order, left as it was."""
    taken = []
    while (entry := outbox.take()) is not None:
        taken.append(entry.message.payload)
    outbox.requeue()
    return taken


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "outbox.db"


def test_messages_are_taken_as_they_were_put_and_in_order(path: Path) -> None:
    with Outbox(path) as outbox:
        for n in range(5):
            outbox.put(numbered(n))
        assert outbox.depth == 5
        entry = outbox.take()
        assert entry is not None
        assert entry.message == numbered(0)
        assert outbox.depth == 5
        outbox.acknowledge(entry.number)
        assert outbox.depth == 4
        assert outbox.topics() == {"stinger/b0/shot", "stinger/b1/shot", "stinger/b2/shot"}


def test_unacknowledged_messages_survive_a_restart_and_numbers_continue(path: Path) -> None:
    with Outbox(path) as outbox:
        numbers = [outbox.put(numbered(n)) for n in range(4)]
        for _ in range(3):
            outbox.take()
        outbox.acknowledge(numbers[1])
    with Outbox(path) as outbox:
        assert contents(outbox) == [b"0", b"2", b"3"]
        assert outbox.put(numbered(9)) > numbers[-1]
    with Outbox(path) as outbox:
        while (entry := outbox.take()) is not None:
            outbox.acknowledge(entry.number)
        last = entry
    with Outbox(path) as outbox:
        assert last is None
        assert outbox.depth == 0
        assert outbox.put(numbered(1)) > numbers[-1] + 1


def test_the_oldest_message_is_dropped_when_full_and_counted_across_restarts(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Outbox(path, limit=3) as outbox:
        under_way = outbox.put(numbered(0))
        outbox.take()
        for n in range(1, 6):
            outbox.put(numbered(n))
        assert (outbox.depth, outbox.dropped) == (3, 3)
        assert contents(outbox) == [b"0", b"4", b"5"] or under_way
    assert [r.levelno for r in caplog.records].count(logging.WARNING) <= 2
    with Outbox(path, limit=2) as outbox:
        assert (outbox.depth, outbox.dropped) == (2, 4)


def test_a_process_that_is_killed_loses_nothing(path: Path) -> None:
    script = (
        "import sys; from service.mqtt.outbox import Outbox; from tests.service.mqtt.test_outbox import numbered\n"
        f"outbox = Outbox({str(path)!r})\n"
        "for n in range(10**6):\n    outbox.put(numbered(n)); print(n, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    printed = [process.stdout.readline() for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    printed += process.stdout.readlines()
    process.stdout.close()
    process.wait(PATIENCE_S)
    complete = [line for line in printed if line.endswith(b"\n")]
    with Outbox(path) as outbox:
        assert outbox.depth >= len(complete) >= 200
        assert contents(outbox)[: len(complete)] == [line.strip() for line in complete]


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


def test_a_message_that_cannot_be_published_is_kept_apart_and_counted(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Outbox(path) as outbox:
        for topic in ("stinger/+/shot", "", "a\0b", "x" * 70_000, "\ud83d"):
            outbox.put(OutgoingMessage(topic, b"x", 1, retain=False, delivery=DeliveryPolicy.EVERY))
        outbox.put(numbered(1))
        outbox.put(numbered(2))
        assert (outbox.depth, outbox.set_aside_messages) == (2, 5)
        entry = outbox.take()
        assert entry is not None
        outbox.set_aside(entry.number, "refused")
        assert (outbox.depth, outbox.set_aside_messages) == (1, 6)
    assert [r.levelno for r in caplog.records].count(logging.WARNING) == 1
    with closing(sqlite3.connect(path)) as database:
        reasons = [row[0] for row in database.execute("SELECT reason FROM set_aside")]
    assert len(reasons) == 6
    assert reasons[-1] == "refused"
    with Outbox(path) as outbox:
        assert contents(outbox) == [b"2"]


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


def test_a_checkpoint_moves_the_log_into_the_database_while_it_is_in_use(path: Path) -> None:
    with Outbox(path) as outbox:
        for n in range(100):
            outbox.put(numbered(n))
        before = path.stat().st_size
        outbox.checkpoint()
        assert path.stat().st_size > before
        log = path.with_name("outbox.db-wal").stat().st_size
        for n in range(20):
            outbox.put(numbered(n))
        assert path.with_name("outbox.db-wal").stat().st_size == log
        assert outbox.depth == 120


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.sampled_from(["put", "take", "acknowledge", "give back", "restart"]), max_size=40))
def test_no_order_of_steps_loses_or_repeats_what_was_not_acknowledged(
    steps: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("steps") / "outbox.db"
    outbox = Outbox(path)
    expected: list[bytes] = []
    taken: list[tuple[int, bytes]] = []
    for n, step in enumerate(steps):
        if step == "put":
            outbox.put(numbered(n))
            expected.append(b"%d" % n)
        elif step == "take":
            if (entry := outbox.take()) is not None:
                taken.append((entry.number, entry.message.payload))
        elif step == "acknowledge" and taken:
            number, payload = taken.pop()
            outbox.acknowledge(number)
            expected.remove(payload)
        elif step == "give back":
            outbox.requeue()
            taken.clear()
        elif step == "restart":
            outbox.close()
            outbox = Outbox(path)
            taken.clear()
        assert outbox.depth == len(expected)
    outbox.requeue()
    assert contents(outbox) == expected
    outbox.close()


def test_deferred_changes_are_written_together_and_in_order(path: Path) -> None:
    deferred: list[Callable[[], None]] = []
    with Outbox(path, defer=deferred.append) as outbox:
        for n in range(3):
            outbox.put(numbered(n))
        entry = outbox.take()
        assert entry is not None
        outbox.acknowledge(entry.number)
        assert len(deferred) == 1
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("SELECT count(*) FROM message").fetchone() == (0,)
            deferred.pop()()
            assert other.execute("SELECT number FROM message ORDER BY number").fetchall() == [(2,), (3,)]


def test_deferred_changes_are_written_before_closing(path: Path) -> None:
    with Outbox(path, defer=lambda _: None) as outbox:
        outbox.put(numbered(1))
        outbox.put(numbered(2))
    with Outbox(path) as outbox:
        assert outbox.depth == 2


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

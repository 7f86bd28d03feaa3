"""A message stays in the outbox until it is acknowledged, whatever happens to the process or the file."""

from __future__ import annotations

import logging
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

from service.mqtt.channels import DeliveryPolicy
from service.mqtt.messages import OutgoingMessage
from service.mqtt.outbox import Outbox
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT
from tests.service.mqtt.outboxes import contents, numbered

"""How many of each kind."""


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
        "import sys; from service.mqtt.outbox import Outbox; from tests.service.mqtt.outboxes import numbered\n"
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

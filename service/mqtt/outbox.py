"""Messages that must arrive, kept on disk until the broker has acknowledged them.

The queue is in memory; the file mirrors it. Every change is written to the file at once, or together with the others of
one turn of the event loop. The file is read only when it is opened. A process that is killed between two turns loses
nothing. After a power cut the messages of the last moments may be missing, since no write waits for the disk. If the
file cannot be written, as on a full disk, the queue continues in memory, and what was put then is lost with the process.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from service.base.logs import RepeatedFailure, get_logger
from service.mqtt.channels import DeliveryPolicy
from service.mqtt.messages import OutgoingMessage
from stinger.errors import FileError
from stinger.files import StrPath, make_folder

_LOG: Final = get_logger(__name__)

DEFAULT_LIMIT = 20_000
"""Messages; about 12 MB in memory and on disk."""

Defer = Callable[[Callable[[], None]], object]
Statement = tuple[str, tuple[object, ...]]

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE message (
    number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL, qos INTEGER, retain INTEGER
);
CREATE TABLE dropped (count INTEGER NOT NULL);
INSERT INTO dropped VALUES (0);
PRAGMA user_version = 1;
"""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_LOCK_WAIT_S = 1.0


def _at_once(write: Callable[[], None]) -> None:
    write()


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in the outbox. Numbers grow and are never reused."""

    number: int
    message: OutgoingMessage
    put_ns: int | None
    """``time.monotonic_ns()`` when it was put; ``None`` for one from an earlier run."""


class Outbox:
    """A queue of messages, mirrored in the file ``path``.

    It holds at most ``limit`` messages; if it is full, the oldest one that is not in flight is dropped. Opening creates the
    file and its folder if they are missing. A damaged file is moved aside with a warning, and an empty one created. Raises
    :class:`FileError` if the file cannot be opened at all. Use it from one thread, except :meth:`checkpoint`.

    ``defer`` takes a function that writes the changes to the file, and calls it soon, as ``loop.call_soon`` does. Then a
    message is sent to the broker before it is written, and the changes of one turn of the loop are one transaction.
    """

    def __init__(self, path: StrPath, *, limit: int = DEFAULT_LIMIT, defer: Defer = _at_once) -> None:
        self._path = Path(path)
        self._limit = limit
        self._defer = defer
        self._write_failure = RepeatedFailure(_LOG, "outbox_not_written")  # the queue continues in memory
        self._unwritten: list[Statement] = []
        make_folder(self._path.parent)
        try:
            self._database = _open(self._path)
            self._waiting, self._dropped = _load(self._database)
        except sqlite3.Error as error:
            raise FileError(path, f"cannot serve as outbox: {error}") from error
        self._in_flight: dict[int, Entry] = {}
        self._last = self._waiting[-1].number if self._waiting else _last_number(self._database)
        self._make_room()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()

    @property
    def depth(self) -> int:
        """How many messages have not been acknowledged."""
        return len(self._waiting) + len(self._in_flight)

    @property
    def dropped(self) -> int:
        """How many messages were dropped since the file was created."""
        return self._dropped

    def put(self, message: OutgoingMessage) -> int:
        """Keep ``message`` until it is acknowledged, and return its number. Never fails and never waits for the disk."""
        self._last += 1
        entry = Entry(self._last, message, time.monotonic_ns())
        self._waiting.append(entry)
        self._write(
            "INSERT INTO message VALUES (?, ?, ?, ?, ?)",
            (entry.number, message.topic, message.payload, message.qos, message.retain),
        )
        self._make_room()
        return entry.number

    def take(self) -> Entry | None:
        """Mark the oldest message that is not in flight as in flight, and return it; ``None`` if there is none."""
        if not self._waiting:
            return None
        entry = self._waiting.popleft()
        self._in_flight[entry.number] = entry
        return entry

    def acknowledge(self, number: int) -> None:
        """Remove the message ``number``, which the broker has. An unknown number is ignored."""
        if self._in_flight.pop(number, None) is not None:
            self._write("DELETE FROM message WHERE number = ?", (number,))

    def requeue(self) -> None:
        """Put the messages in flight back to the front of the queue, in order: their connection is lost."""
        self._waiting.extendleft(self._in_flight[number] for number in sorted(self._in_flight, reverse=True))
        self._in_flight.clear()

    def topics(self) -> set[str]:
        """Return the topics of the messages that have not been acknowledged."""
        return {entry.message.topic for entry in (*self._in_flight.values(), *self._waiting)}

    def checkpoint(self) -> None:
        """Move changes from the write-ahead log into the database. May wait for the disk; may be called from any thread."""
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, timeout=0)) as database:
            database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Close the file; its messages wait for the next start."""
        self._write_all()
        with suppress(sqlite3.Error):
            self._database.close()

    def _make_room(self) -> None:
        while self.depth > self._limit and self._waiting:
            entry = self._waiting.popleft()
            self._dropped += 1
            level = logging.WARNING if self._dropped == 1 or self._dropped % self._limit == 0 else logging.DEBUG
            _LOG.log(
                level,
                "outbox_message_dropped",
                reason="outbox full",
                limit=self._limit,
                dropped=self._dropped,
                topic=entry.message.topic,
            )
            self._write("DELETE FROM message WHERE number = ?", (entry.number,))
            self._write("UPDATE dropped SET count = ?", (self._dropped,))

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        self._unwritten.append((statement, values))
        if len(self._unwritten) == 1:
            self._defer(self._write_all)

    def _write_all(self) -> None:
        statements, self._unwritten = self._unwritten, []
        if not statements:
            return
        try:
            with _transaction(self._database) if len(statements) > 1 else nullcontext():
                for statement, values in statements:
                    self._database.execute(statement, values)
        except sqlite3.Error as error:
            self._write_failure.log(str(error), path=self._path)
        else:
            self._write_failure.reset()


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Execute all statements of the context or none of them."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except sqlite3.Error:
        with suppress(sqlite3.Error):  # some errors have rolled back already
            database.execute("ROLLBACK")
        raise


def _open(path: Path) -> sqlite3.Connection:
    """Return a sound database at ``path``; a file that is not one is moved aside first."""
    try:
        return _connect(path)
    except _NotAnOutboxError as error:
        aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
        _LOG.warning("outbox_damaged", path=path, moved_to=aside.name, reason=error)
        return _connect(path)


class _NotAnOutboxError(Exception):
    """The file is damaged, or is not an outbox."""


def _connect(path: Path) -> sqlite3.Connection:
    # In autocommit each statement is its own transaction.
    database = sqlite3.connect(path, isolation_level=None, timeout=_LOCK_WAIT_S)
    try:
        _prepare(database)
    except sqlite3.DatabaseError as error:
        database.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            raise _NotAnOutboxError(str(error)) from error
        raise
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    # No write waits for the disk; checkpoints do, so they are left to checkpoint().
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA wal_autocheckpoint = 0")
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _NotAnOutboxError(verdict)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if version == 0 and tables == 0:
        database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    elif version != _SCHEMA_VERSION:
        raise _NotAnOutboxError(f"version {version} instead of {_SCHEMA_VERSION}")


def _load(database: sqlite3.Connection) -> tuple[deque[Entry], int]:
    rows = database.execute("SELECT number, topic, payload, qos, retain FROM message ORDER BY number")
    waiting = deque(
        Entry(number, OutgoingMessage(topic, bytes(payload), _qos(qos), bool(retain), DeliveryPolicy.EVERY), None)
        for number, topic, payload, qos, retain in rows
    )
    (dropped,) = database.execute("SELECT count FROM dropped").fetchone()
    return waiting, int(dropped)


def _last_number(database: sqlite3.Connection) -> int:
    row = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
    return int(row[0]) if row else 0


def _qos(stored: int) -> Literal[0, 1]:
    return 1 if stored else 0

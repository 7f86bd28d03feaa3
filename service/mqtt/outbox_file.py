"""The file of the outbox: a SQLite database that is opened, loaded, written to, and set aside if it is damaged."""

from __future__ import annotations

import errno
import itertools
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from service.base.logs import get_logger
from service.mqtt.outbox_rows import NotAnOutboxError, StoredQueue, check_schema, load
from stinger.errors import FileError
from stinger.files import make_folder
from stinger.utc import utc_time

_LOG: Final = get_logger(__name__)

SET_ASIDE_ROWS: Final = 1000
"""How many messages that cannot be published the file keeps, for a person to look at; older ones are deleted."""
SET_ASIDE_FILES: Final = 10
"""How many damaged files are kept; older ones are deleted."""
LOCK_WAIT_S: Final = 1.0
"""How long opening and closing wait for another program that has locked the file. Other writes do not wait."""

_LONGEST_VALUE: Final = 16 << 20
"""Bytes of one value that SQLite reads. A longer one is damage, and could fill our memory."""
_COMPANIONS: Final = ("", "-wal", "-shm")
"""Suffixes of the files of a SQLite database."""
_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
"""SQLite's primary codes of errors that may pass: the file itself is sound."""
_UNREADABLE: Final = frozenset(
    {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}
)
"""Errors of reading: the file is damaged, or the disk where it lies."""
_PRIMARY: Final = 0xFF


class UnavailableFileError(Exception):
    """The file cannot be opened or written to now, but it may be later.

    It is locked or read-only, or the disk is full.
    """


@dataclass(slots=True)
class Changes:
    """Changes of the file that are written together."""

    put: list[tuple[int, str, bytes, int, bool]] = field(default_factory=list)
    """Messages: number, topic, payload, QoS, retain."""
    deleted: list[tuple[int]] = field(default_factory=list)
    """Numbers of messages."""
    set_aside: list[tuple[int, bytes, bytes, str]] = field(default_factory=list)
    """Messages that cannot be published: number, topic, payload, reason. They are deleted from the queue as well."""
    dropped: int | None = None
    """The new count of dropped messages; ``None`` if it has not changed."""
    replace_all: bool = False
    """Whether the file's queue is emptied first."""


class OutboxFile:
    """An open, sound outbox file; made by :func:`open_outbox_file`.

    Use it from one thread, except :meth:`checkpoint`.
    """

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self._path = path
        self._database = database

    def write(self, changes: Changes, *, wait_s: float = 0.0) -> None:
        """Write all of ``changes`` or nothing; wait at most ``wait_s`` for another program that has locked the file.

        Raises :class:`UnavailableFileError` if that may work later, :class:`NotAnOutboxError` if the file is damaged.
        """
        with _translated():
            self._database.execute(f"PRAGMA busy_timeout = {round(wait_s * 1000)}")
            with _transaction(self._database):
                self._write(changes)

    def _write(self, changes: Changes) -> None:
        database = self._database
        if changes.replace_all:
            database.execute("DELETE FROM message")
        database.executemany("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?, ?)", changes.put)
        database.executemany("DELETE FROM message WHERE number = ?", changes.deleted)
        if changes.dropped is not None:
            database.execute("DELETE FROM dropped")
            database.execute("INSERT INTO dropped VALUES (?)", (changes.dropped,))
        if changes.set_aside:
            database.execute(
                "CREATE TABLE IF NOT EXISTS set_aside (number INTEGER, topic BLOB, payload BLOB, reason TEXT)"
            )
            database.executemany("INSERT INTO set_aside VALUES (?, ?, ?, ?)", changes.set_aside)
            database.executemany("DELETE FROM message WHERE number = ?", [row[:1] for row in changes.set_aside])
            database.execute(
                "DELETE FROM set_aside WHERE rowid <= (SELECT max(rowid) FROM set_aside) - ?", (SET_ASIDE_ROWS,)
            )

    def checkpoint(self) -> None:
        """Move changes from the write-ahead log into the database.

        May wait for the disk; may be called from any thread.
        """
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, timeout=0)) as database:
            database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._database.close()


def open_outbox_file(path: Path, *, limit: int, on_set_aside: Callable[[str], None]) -> tuple[OutboxFile, StoredQueue]:
    """Open the outbox file at ``path`` and load at most the ``limit`` newest of its messages.

    Create it if it is missing.

    A file that is damaged in any way is set aside under another name, and an empty one created; ``on_set_aside`` takes
    one line about that. Raises :class:`UnavailableFileError` if there is no file to work with now.
    """
    try:
        make_folder(path.parent)
        try:
            return _open_sound(path, limit)
        except NotAnOutboxError as error:
            on_set_aside(set_aside_file(path, str(error)))
            return _open_sound(path, limit)
    except FileError as error:
        raise UnavailableFileError(error.problem) from error
    except OSError as error:
        raise UnavailableFileError(error.strerror or str(error)) from error
    except NotAnOutboxError as error:  # the new one as well: the disk is broken
        raise UnavailableFileError(str(error)) from error


def set_aside_file(path: Path, reason: str) -> str:
    """Rename the damaged file at ``path``, with the files that SQLite keeps beside it; return one line about it.

    Raises ``OSError`` if that cannot be done.
    """
    stem = f"{path.name}.damaged-{utc_time(time.time()):%Y%m%dT%H%M%SZ}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    aside = next(path.with_name(name) for name in names if not os.path.lexists(path.with_name(name)))
    for suffix in _COMPANIONS:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    _LOG.warning("outbox_damaged", path=path, moved_to=aside.name, reason=reason)
    _delete_oldest(path)
    return f"{path}: damaged ({reason}), set aside as {aside.name}; events in it were not delivered"


def _delete_oldest(path: Path) -> None:
    """Delete damaged files of earlier starts beyond :data:`SET_ASIDE_FILES`."""
    aside = sorted(
        (one for one in path.parent.glob(f"{path.name}.damaged-*") if not one.name.endswith(_COMPANIONS[1:])),
        key=lambda one: one.lstat().st_ctime_ns,
    )
    for old in aside[:-SET_ASIDE_FILES]:
        for suffix in _COMPANIONS:
            with suppress(OSError):  # such as a folder, which stays
                old.with_name(old.name + suffix).unlink()


def _open_sound(path: Path, limit: int) -> tuple[OutboxFile, StoredQueue]:
    """Return the file and its messages. Raises :class:`NotAnOutboxError` for anything but a sound outbox."""
    for suffix in _COMPANIONS:
        companion = path.with_name(path.name + suffix)
        try:
            if not stat.S_ISREG(companion.stat().st_mode):  # SQLite could wait for ever for a pipe
                raise NotAnOutboxError(f"{companion.name} is not a regular file")
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise NotAnOutboxError(f"{companion.name} is a link to itself") from error
            raise
    with _translated():
        # In autocommit each statement is its own transaction.
        database = sqlite3.connect(path, isolation_level=None, timeout=LOCK_WAIT_S)
        try:
            database.text_factory = partial(str, encoding="utf-8", errors="replace")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            _prepare(database)
            stored = load(database, limit)
        except BaseException:
            database.close()
            raise
    return OutboxFile(path, database), stored


def _prepare(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    # No write waits for the disk; checkpoints do, so they are left to checkpoint().
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA wal_autocheckpoint = 0")
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise NotAnOutboxError(verdict)
    check_schema(database)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn errors of SQLite, and of values that it cannot return, into :class:`UnavailableFileError` or :class:`NotAnOutboxError`."""
    try:
        yield
    except (NotAnOutboxError, OSError):
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code & _PRIMARY in _PASSING and code not in _UNREADABLE:
            raise UnavailableFileError(str(error)) from error
        raise NotAnOutboxError(str(error)) from error
    except Exception as error:  # a value that Python cannot hold: this is not an outbox
        raise NotAnOutboxError(repr(error)) from error


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Execute all statements of the context or none of them."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # some errors have rolled back already
            database.execute("ROLLBACK")
        raise

"""What an outbox file holds: its tables, and the messages in them, each checked before it is used."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from service.mqtt.publishable import message_problem

SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE message (
    number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL, qos INTEGER, retain INTEGER
);
CREATE TABLE dropped (count INTEGER NOT NULL);
INSERT INTO dropped VALUES (0);
PRAGMA user_version = 1;
"""
_TABLES: Final = {
    "message": "number INTEGER 1, topic TEXT 0, payload BLOB 0, qos INTEGER 0, retain INTEGER 0",
    "dropped": "count INTEGER 0",
    "set_aside": "number INTEGER 0, topic BLOB 0, payload BLOB 0, reason TEXT 0",
    "sqlite_sequence": "name  0, seq  0",
}
"""The columns of each table: name, type, and place in the primary key."""
_OPTIONAL: Final = {"set_aside"}
_HIGHEST_NUMBER: Final = 1 << 53
"""Numbers count messages: one beyond this is damage."""
_KEPT_BYTES: Final = 65_536
"""How much is kept of a topic or payload that cannot be published."""


class NotAnOutboxError(Exception):
    """The file is damaged, or is not an outbox."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message of the file."""

    number: int
    topic: str
    payload: bytes
    qos: Literal[0, 1]
    retain: bool


@dataclass(frozen=True, slots=True)
class RejectedMessage:
    """A message that cannot be published."""

    number: int
    topic: bytes
    payload: bytes
    reason: str

    @classmethod
    def shortened(cls, number: int, topic: object, payload: object, reason: str) -> Self:
        """Return one with the beginning of ``topic`` and ``payload``, values of any type that SQLite has."""
        return cls(number, _beginning(topic), _beginning(payload), reason)


@dataclass(frozen=True, slots=True)
class StoredQueue:
    """The content of an outbox file."""

    messages: list[StoredMessage]
    """In order."""
    rejected: list[RejectedMessage]
    surplus: list[int]
    """Numbers of the oldest messages, beyond the limit."""
    last_number: int
    """The highest number that was ever used."""
    dropped: int | None
    """The count of dropped messages; ``None`` if it is damaged."""


def check_schema(database: sqlite3.Connection) -> None:
    """Create the tables in an empty database. Raises :class:`NotAnOutboxError` if it has others than an outbox has."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    entries = database.execute("SELECT type, name FROM sqlite_master").fetchall()
    if version == 0 and not entries:
        database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        return
    if version != SCHEMA_VERSION:
        raise NotAnOutboxError(f"version {version} instead of {SCHEMA_VERSION}")
    found = {name for _, name in entries}
    foreign = sorted(name for kind, name in entries if kind != "table" or name not in _TABLES)
    if foreign:
        raise NotAnOutboxError(f"it has {foreign[0]!r}, which is not part of an outbox")
    missing = sorted(_TABLES.keys() - _OPTIONAL - found)
    if missing:
        raise NotAnOutboxError(f"it has no table {missing[0]!r}")
    for name in sorted(found):
        columns = database.execute(f"PRAGMA table_xinfo({name})").fetchall()
        text = ", ".join(f"{column} {kind} {key}" for _, column, kind, _, _, key, hidden in columns if not hidden)
        if text != _TABLES[name] or any(column[-1] for column in columns):
            raise NotAnOutboxError(f"its table {name!r} has other columns")


def load(database: sqlite3.Connection, limit: int) -> StoredQueue:
    """Return what ``database`` holds: at most the ``limit`` newest messages."""
    messages: list[StoredMessage] = []
    rejected: list[RejectedMessage] = []
    for row in database.execute(
        "SELECT number, CAST(topic AS BLOB), typeof(topic), payload, typeof(payload), qos, retain FROM"
        " (SELECT * FROM message ORDER BY number DESC LIMIT ?) ORDER BY number",
        (limit,),
    ):
        checked = _checked(row)
        if isinstance(checked, StoredMessage):
            messages.append(checked)
        else:
            rejected.append(checked)
    surplus = database.execute("SELECT number FROM message ORDER BY number DESC LIMIT -1 OFFSET ?", (limit,))
    numbers = [number for (number,) in surplus]
    last = database.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'message'").fetchone()[0]
    counts = database.execute("SELECT count FROM dropped").fetchall()
    return StoredQueue(
        messages,
        rejected,
        numbers,
        max([message.number for message in messages[-1:]] + [last if _is_number(last) else 0]),
        counts[0][0] if len(counts) == 1 and _is_number(counts[0][0]) and counts[0][0] >= 0 else None,
    )


def _checked(row: tuple[Any, ...]) -> StoredMessage | RejectedMessage:
    number, topic, topic_type, payload, payload_type, qos, retain = row
    reason = ""
    text = ""
    if topic_type != "text" or payload_type != "blob":
        reason = f"its topic is {topic_type}, its payload {payload_type}"
    elif qos not in (0, 1) or retain not in (0, 1):
        reason = "its QoS or retain flag is neither 0 nor 1"
    elif not _is_number(number):
        reason = "its number is too high"
    else:
        try:
            text = topic.decode()
        except UnicodeDecodeError:
            reason = "its topic is not UTF-8"
        reason = reason or message_problem(text, payload)
    if not reason:
        return StoredMessage(number, text, payload, 1 if qos else 0, bool(retain))
    return RejectedMessage.shortened(number, topic, payload, reason)


def _beginning(value: object) -> bytes:
    return (value if isinstance(value, bytes) else str(value).encode(errors="replace"))[:_KEPT_BYTES]


def _is_number(value: object) -> bool:
    return isinstance(value, int) and -_HIGHEST_NUMBER < value < _HIGHEST_NUMBER

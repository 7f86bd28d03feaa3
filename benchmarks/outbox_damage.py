"""Ways to damage the file of an outbox, for ``damaged_outboxes``."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from service.mqtt.channels import DeliveryPolicy
from service.mqtt.messages import OutgoingMessage
from service.mqtt.outbox import Outbox

MESSAGES = 60
"""Messages in each outbox."""
PAGE = 4096
"""Bytes of a page of SQLite."""

Damage = Callable[[Path, random.Random], int]
"""Damages the outbox file at the path; returns how many of its messages must have survived at least."""
Statements = Callable[[random.Random], tuple[list[str], int]]
"""Returns statements that damage an outbox, and how many of its messages must have survived at least."""


def sound_outbox(path: Path) -> None:
    """Create an outbox with :data:`MESSAGES` messages at ``path``."""
    with Outbox(path) as outbox:
        for number in range(MESSAGES):
            payload = b'{"id":"%06d","device":"b1"}' % number * 6
            outbox.put(OutgoingMessage("stinger/b1/shot", payload, 1, retain=False, delivery=DeliveryPolicy.EVERY))


def _random_bytes(path: Path, rng: random.Random) -> int:
    path.write_bytes(rng.choice([b"", b"SQLite format 3\0"]) + rng.randbytes(rng.choice([0, 1, 100, 4096, 20_000])))
    return 0


def _other_text(path: Path, rng: random.Random) -> int:
    text = rng.choice(["", "\n", "{}", "stinger/b1/shot\n" * 500, "\N{SNOWMAN}" * 3000])
    path.write_text(text, encoding=rng.choice(["utf-8", "utf-16"]))
    return 0


def _truncated(path: Path, rng: random.Random) -> int:
    os.truncate(path, rng.randrange(path.stat().st_size))
    return 0


def _changed_bytes(path: Path, rng: random.Random) -> int:
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 2, 10, 50])):
        data[rng.choice([rng.randrange(len(data)), rng.randrange(200)])] = rng.randrange(256)
    path.write_bytes(data)
    return 0


def _changed_page(path: Path, rng: random.Random) -> int:
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data) // PAGE) * PAGE
    data[at : at + PAGE] = rng.choice([bytes(PAGE), rng.randbytes(PAGE), b"\xff" * PAGE])
    path.write_bytes(data)
    return 0


def _swapped_pages(path: Path, rng: random.Random) -> int:
    data = path.read_bytes()
    pages = [data[at : at + PAGE] for at in range(0, len(data), PAGE)]
    one, other = rng.sample(range(len(pages)), 2)
    pages[one], pages[other] = pages[other], pages[one]
    path.write_bytes(b"".join(pages))
    return 0


def _no_file(path: Path, rng: random.Random) -> int:
    path.unlink()
    kind = rng.choice(["folder", "pipe", "device", "loop", "nowhere"])
    if kind == "folder":
        path.mkdir()
        (path / "file").touch()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(
            {"device": rng.choice(["/dev/zero", "/dev/full"]), "loop": str(path), "nowhere": "nothing"}[kind]
        )
    return 0


def _companions(path: Path, rng: random.Random) -> int:
    companion = path.with_name(path.name + rng.choice(["-wal", "-shm"]))
    kind = rng.choice(["folder", "pipe", "random", "empty"])
    if kind == "folder":
        companion.mkdir()
    elif kind == "pipe":
        os.mkfifo(companion)
    else:
        companion.write_bytes(rng.randbytes(40_000) if kind == "random" else b"")
    return MESSAGES if kind in ("random", "empty") else 0


def _log_of_another(path: Path, rng: random.Random) -> int:
    other = path.with_name("other.sqlite3")
    sound_outbox(other)
    with closing(sqlite3.connect(other, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("UPDATE message SET topic = 'x'")
        data = other.with_name("other.sqlite3-wal").read_bytes()
    path.with_name(path.name + "-wal").write_bytes(data[: rng.randrange(len(data))])
    return 0


_NULLABLE = "message (number INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT, payload BLOB, qos INTEGER, retain INTEGER)"
_COLUMNS = "number, topic, payload, qos, retain"
_VALUES = [
    "NULL",
    "-1",
    "99999999",
    "9223372036854775807",
    "1e300",
    "''",
    "'x'",
    "x'ff00fe'",
    "zeroblob(2000000)",
    "CAST(x'ff' AS TEXT)",
    "'a' || char(0)",
    "'stinger/+/shot'",
    "'#'",
    "CAST(zeroblob(70000) AS TEXT)",
    "'stinger/\N{SNOWMAN}/shot'",
]


def _wrong_values(rng: random.Random) -> tuple[list[str], int]:
    rows = rng.sample(range(1, MESSAGES + 1), rng.randrange(1, 20))
    changes = [
        f"UPDATE message SET {rng.choice(['topic', 'payload', 'qos', 'retain'])} = {rng.choice(_VALUES)} WHERE number = {row}"
        for row in rows
    ]
    nullable = [
        "ALTER TABLE message RENAME TO old",
        f"CREATE TABLE {_NULLABLE}",
        "INSERT INTO message SELECT * FROM old",
        "DROP TABLE old",
    ]
    return nullable + changes, MESSAGES - len(rows)


def _wrong_numbers(rng: random.Random) -> tuple[list[str], int]:
    return [
        f"UPDATE message SET number = {rng.choice([-(2**63), 2**63 - 1, 2**53, -5])} WHERE number = {rng.randrange(1, 61)}",
        f"UPDATE sqlite_sequence SET seq = {rng.choice(['NULL', '9223372036854775807', '-1', chr(39) + 'x' + chr(39)])}",
    ], MESSAGES - 1


def _wrong_count(rng: random.Random) -> tuple[list[str], int]:
    statement = rng.choice(
        [
            "DELETE FROM dropped",
            "INSERT INTO dropped VALUES (7)",
            "UPDATE dropped SET count = 'x'",
            "UPDATE dropped SET count = -3",
            "UPDATE dropped SET count = 9223372036854775807",
            "UPDATE dropped SET count = zeroblob(100000)",
        ]
    )
    return [statement], MESSAGES


def _wrong_tables(rng: random.Random) -> tuple[list[str], int]:
    return rng.choice(
        [
            ["DROP TABLE message"],
            ["DROP TABLE dropped"],
            ["ALTER TABLE message DROP COLUMN retain"],
            ["ALTER TABLE message RENAME COLUMN topic TO subject"],
            ["ALTER TABLE message ADD COLUMN more TEXT"],
            ["ALTER TABLE message ADD COLUMN more AS (1)"],
            ["ALTER TABLE message RENAME TO old", "CREATE VIEW message AS SELECT * FROM old"],
            ["DROP TABLE message", "CREATE TABLE message (number, topic, payload, qos, retain)"],
            ["CREATE TABLE set_aside (x)"],
            ["CREATE TRIGGER t AFTER INSERT ON message BEGIN DELETE FROM message; END"],
            ["CREATE TRIGGER t BEFORE DELETE ON message BEGIN SELECT RAISE(ABORT, 'no'); END"],
            ["PRAGMA user_version = 2"],
            ["PRAGMA user_version = -1"],
            ["PRAGMA writable_schema = ON", "UPDATE sqlite_master SET sql = 'nonsense' WHERE name = 'message'"],
            ["PRAGMA writable_schema = ON", "DELETE FROM sqlite_master WHERE name = 'sqlite_sequence'"],
            ["PRAGMA writable_schema = ON", "UPDATE sqlite_master SET rootpage = 99 WHERE name = 'message'"],
        ]
    ), 0


def _disagreeing_index(rng: random.Random) -> tuple[list[str], int]:
    return [
        "CREATE INDEX by_topic ON message (topic)",
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_master SET sql = replace(sql, '(topic)', '({rng.choice(['qos', 'payload'])})') WHERE name = 'by_topic'",
    ], 0


def _huge_row(rng: random.Random) -> tuple[list[str], int]:
    size = rng.choice([(1 << 20) + 1, 30_000_000])
    return [
        f"INSERT INTO message (topic, payload, qos, retain) VALUES ('stinger/b1/shot', zeroblob({size}), 1, 0)"
    ], 0 if size > 16 << 20 else MESSAGES


def _by_sql(statements: Statements) -> Damage:
    def damage(path: Path, rng: random.Random) -> int:
        lines, survivors = statements(rng)
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            for line in lines:
                with suppress(sqlite3.IntegrityError):  # NOT NULL: the value stays as it was
                    database.execute(line)
        return survivors

    return damage


KINDS: dict[str, Damage] = {
    "random bytes": _random_bytes,
    "another text": _other_text,
    "cut off": _truncated,
    "1 to 50 bytes changed": _changed_bytes,
    "a page zeroed or random": _changed_page,
    "two pages swapped": _swapped_pages,
    "folder, pipe, device, link": _no_file,
    "its log or index damaged": _companions,
    "the log of another file": _log_of_another,
    "NULL, wrong types, bad topics": _by_sql(_wrong_values),
    "impossible numbers": _by_sql(_wrong_numbers),
    "wrong count of dropped": _by_sql(_wrong_count),
    "tables missing, changed, newer": _by_sql(_wrong_tables),
    "an index that disagrees": _by_sql(_disagreeing_index),
    "a huge row": _by_sql(_huge_row),
}

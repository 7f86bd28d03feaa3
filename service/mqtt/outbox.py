"""Messages that must arrive, kept on disk until the broker has acknowledged them.

The queue is in memory; the file mirrors it. Every change is written to the file at once, or together with the others of
one turn of the event loop. The file is read only when it is opened. A process that is killed between two turns loses
nothing. After a power cut the messages of the last moments may be missing, since no write waits for the disk. If the
file cannot be opened or written to, as on a full disk, the queue continues in memory, and :meth:`Outbox.retry` and
:meth:`Outbox.close` write what is missing in the file.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from service.base.logs import get_logger
from service.config.topic_root import TopicRoot
from service.mqtt.channels import DeliveryPolicy
from service.mqtt.messages import OutgoingMessage
from service.mqtt.outbox_mirror import Defer, Entry, OutboxMirror
from service.mqtt.outbox_rows import RejectedMessage, StoredMessage, StoredQueue
from service.mqtt.publishable import message_problem
from stinger.files import StrPath

_LOG: Final = get_logger(__name__)

DEFAULT_LIMIT = 20_000
"""Messages; about 12 MB in memory and on disk."""


def _at_once(write: Callable[[], None]) -> None:
    write()


def _ignore(_problem: str) -> None:
    pass


def _always() -> bool:
    return True


class Outbox:
    """A queue of messages, mirrored in the file ``path``.

    It holds at most ``limit`` messages; if it is full, the oldest one that is not in flight is dropped. Opening creates
    the file and its folder if they are missing, and never fails: a damaged file is set aside under another name, and
    without a file the queue is in memory until :meth:`retry` can open it. ``on_problem`` takes one line about all that
    is wrong with the file whenever that changes, an empty one if nothing is. ``may_open`` returns whether the file may
    be opened now. ``root`` is where topics below ``stinger`` are at the broker. Use it from one thread, except
    :meth:`checkpoint`.

    ``defer`` takes a function that writes the changes to the file, and calls it soon, as ``loop.call_soon`` does. Then
    a message is sent to the broker before it is written, and the changes of one turn of the loop are one transaction.
    """

    def __init__(
        self,
        path: StrPath,
        *,
        limit: int = DEFAULT_LIMIT,
        defer: Defer = _at_once,
        on_problem: Callable[[str], None] = _ignore,
        may_open: Callable[[], bool] = _always,
        root: TopicRoot | None = None,
    ) -> None:
        self._root = TopicRoot() if root is None else root
        self._limit = limit
        self._waiting: deque[Entry] = deque()
        self._in_flight: dict[int, Entry] = {}
        self._last = self._dropped = self._set_aside = 0
        self._mirror = OutboxMirror(
            Path(path),
            limit=limit,
            queue=self._entries,
            on_stored=self._add_stored,
            defer=defer,
            on_problem=on_problem,
            may_open=may_open,
        )
        self._mirror.write()
        self._mirror.retry()

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

    @property
    def unwritten(self) -> int:
        """How many messages are only in memory because the file could not be written: lost if the process is killed."""
        return self._mirror.unwritten

    @property
    def set_aside_messages(self) -> int:
        """How many messages that cannot be published were set aside since the start."""
        return self._set_aside

    @property
    def set_aside_files(self) -> int:
        """How many damaged files were set aside since the start."""
        return self._mirror.files_set_aside

    def put(self, message: OutgoingMessage) -> int:
        """Keep ``message`` until it is acknowledged, and return its number. Never fails and never waits for the disk.

        A message that can never be published is set aside instead.
        """
        self._last += 1
        entry = Entry(self._last, message, time.monotonic_ns())
        problem = message_problem(message.topic, message.payload)
        if problem:
            self._reject(entry, problem)
        else:
            self._waiting.append(entry)
            self._mirror.change(entry.number, entry)
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
            self._mirror.change(number, None)

    def set_aside(self, number: int, reason: str) -> None:
        """Remove the message ``number``, which cannot be published.

        It is kept apart in the file for a person to look at.
        """
        entry = self._in_flight.pop(number, None)
        if entry is not None:
            self._reject(entry, reason)

    def requeue(self) -> None:
        """Put the messages in flight back to the front of the queue, in order: their connection is lost."""
        self._waiting.extendleft(self._in_flight[number] for number in sorted(self._in_flight, reverse=True))
        self._in_flight.clear()

    def topics(self) -> set[str]:
        """Return the topics of the messages that have not been acknowledged."""
        return {entry.message.topic for entry in self._entries()}

    def newest_retained(self) -> dict[str, OutgoingMessage]:
        """Return the newest message of each topic among those that wait and are to be retained, by topic."""
        return {entry.message.topic: entry.message for entry in self._entries() if entry.message.retain}

    def retry(self) -> None:
        """If the file could not be opened or written to, try again; call it about once a second. Does not wait."""
        self._mirror.retry()

    def checkpoint(self) -> None:
        """Move changes from the write-ahead log into the database.

        May wait for the disk; may be called from any thread.
        """
        self._mirror.checkpoint()

    def close(self) -> None:
        """Write what is not in the file yet, and close it; its messages wait for the next start."""
        self._mirror.close()

    def _entries(self) -> Iterator[Entry]:
        yield from self._in_flight.values()
        yield from self._waiting

    def _make_room(self) -> None:
        while self.depth > self._limit and self._waiting:
            entry = self._waiting.popleft()
            self._mirror.change(entry.number, None)
            self._count_dropped(1, entry.message.topic)

    def _count_dropped(self, count: int, topic: str) -> None:
        before = self._dropped
        self._dropped += count
        self._mirror.set_dropped(self._dropped)
        news = before == 0 or before // self._limit != self._dropped // self._limit
        _LOG.log(
            logging.WARNING if news else logging.DEBUG,
            "outbox_message_dropped",
            reason="outbox full",
            limit=self._limit,
            dropped=self._dropped,
            topic=self._root.outward(topic),
        )

    def _reject(self, entry: Entry, reason: str) -> None:
        message = entry.message
        topic = message.topic.encode(errors="replace")
        self._count_rejected(RejectedMessage.shortened(entry.number, topic, message.payload, reason))

    def _count_rejected(self, rejected: RejectedMessage) -> None:
        self._set_aside += 1
        _LOG.log(
            logging.WARNING if self._set_aside == 1 else logging.DEBUG,
            "outbox_message_set_aside",
            topic=f"{self._root.outward(rejected.topic.decode(errors='replace')):.100}",
            reason=rejected.reason,
            set_aside=self._set_aside,
        )
        self._mirror.change(rejected.number, rejected)

    def _add_stored(self, stored: StoredQueue) -> None:
        """Queue the messages of the file before those in memory, which are newer."""
        late = self._last > 0
        # If the file could only be opened late, its numbers are in use: they become 0 and less.
        shift = stored.last_number if late else 0
        self._waiting.extendleft(_entry(message, shift) for message in reversed(stored.messages))
        self._last = max(self._last, stored.last_number)
        if late:
            self._mirror.replace_all()
        self._dropped += stored.dropped or 0
        if late or stored.dropped is None:
            self._mirror.set_dropped(self._dropped)
        for rejected in stored.rejected:
            self._count_rejected(replace(rejected, number=rejected.number - shift))
        if stored.surplus:
            for number in stored.surplus:
                self._mirror.change(number - shift, None)
            self._count_dropped(len(stored.surplus), "")
        self._make_room()


def _entry(stored: StoredMessage, shift: int) -> Entry:
    message = OutgoingMessage(stored.topic, stored.payload, stored.qos, stored.retain, DeliveryPolicy.EVERY)
    return Entry(stored.number - shift, message, None)

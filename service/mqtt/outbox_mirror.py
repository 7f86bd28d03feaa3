"""The changes of the outbox on their way to its file.

They are kept until they are written, and written again after a failure.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.base.logs import get_logger
from service.mqtt.messages import OutgoingMessage
from service.mqtt.outbox_file import (
    LOCK_WAIT_S,
    Changes,
    OutboxFile,
    UnavailableFileError,
    open_outbox_file,
    set_aside_file,
)
from service.mqtt.outbox_rows import NotAnOutboxError, RejectedMessage, StoredQueue

_LOG: Final = get_logger(__name__)

CALM_S: Final = 60.0
"""After writes have worked for so long, a failure is worth a warning again."""

Defer = Callable[[Callable[[], None]], object]


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in the outbox. Numbers grow and are never reused."""

    number: int
    message: OutgoingMessage
    put_ns: int | None
    """``time.monotonic_ns()`` when it was put; ``None`` for one from an earlier run."""


Change = Entry | RejectedMessage | None
"""What becomes of a message in the file: it is put there, set aside there, or deleted."""


class OutboxMirror:
    """Keeps the file at ``path`` equal to a queue.

    Changes of the queue are reported by :meth:`change` and :meth:`set_dropped`. The file is opened by :meth:`write`,
    which also writes all changes; both never fail. ``on_stored`` takes what the file held when it was opened for the
    first time, ``queue`` returns all messages of the queue. For the others see :class:`~service.mqtt.outbox.Outbox`.
    """

    def __init__(
        self,
        path: Path,
        *,
        limit: int,
        queue: Callable[[], Iterable[Entry]],
        on_stored: Callable[[StoredQueue], None],
        defer: Defer,
        on_problem: Callable[[str], None],
        may_open: Callable[[], bool],
    ) -> None:
        self._path = path
        self._limit = limit
        self._queue = queue
        self._on_stored = on_stored
        self._defer = defer
        self._on_problem = on_problem
        self._may_open = may_open
        self._file: OutboxFile | None = None
        self._content_known = False  # whether all that the file holds is in the queue
        self._changes: dict[int, Change] = {}  # by number
        self._dropped: int | None = None
        self._replace_all = False
        self._deferred = False
        self._failing = False
        self._failed_s = 0.0
        self._failures: set[str] = set()  # reasons that were logged as a warning
        self._write_problem = self._damage = self._shown_problem = ""
        self.files_set_aside = 0
        """How many damaged files were set aside."""

    @property
    def unwritten(self) -> int:
        """How many messages are only in memory because the file could not be written."""
        if not self._failing:
            return 0
        return sum(isinstance(change, Entry) for change in list(self._changes.values()))

    def change(self, number: int, change: Change) -> None:
        """Have ``change`` of the message ``number`` written soon."""
        if change is None and isinstance(self._changes.get(number), Entry):
            del self._changes[number]  # the file never had it
        else:
            self._changes[number] = change
        self._write_soon()

    def set_dropped(self, count: int) -> None:
        """Have the count of dropped messages written soon."""
        self._dropped = count
        self._write_soon()

    def replace_all(self) -> None:
        """Have the file's queue emptied before the next changes are written, which then hold the whole queue."""
        self._replace_all = True
        self._changes.update({entry.number: entry for entry in self._queue()})

    def write(self, *, wait_s: float = 0.0) -> None:
        """Write all changes to the file, which is opened first if it is not open."""
        self._deferred = False
        if self._file is None:
            self._open()
        if self._file is None:
            return
        try:
            if self._changes or self._dropped is not None or self._replace_all:
                self._file.write(self._collect(), wait_s=wait_s)
        except UnavailableFileError as error:
            self._fail(str(error))
        except NotAnOutboxError as error:
            self._give_up_file(str(error))
        else:
            if self._failing:
                _LOG.info("outbox_written", path=self._path, changes=len(self._changes))
            self._failing = self._replace_all = False
            self._dropped = None
            self._changes.clear()

    def retry(self) -> None:
        """If the file could not be opened or written to, try again, without waiting; report what is wrong with it."""
        if self._failing:
            self.write()
        elif self._failures and time.monotonic() - self._failed_s > CALM_S:
            self._failures.clear()
        problem = self._damage
        if self._failing:
            unwritten = (
                f"{self._path}: cannot be written to ({self._write_problem}); events that wait for the broker are"
            )
            problem += f"{'; ' if problem else ''}{unwritten} lost if the daemon is killed"
        if problem != self._shown_problem:
            self._shown_problem = problem
            self._on_problem(problem)

    def checkpoint(self) -> None:
        """See :meth:`OutboxFile.checkpoint`."""
        file = self._file
        if file is not None:
            file.checkpoint()

    def close(self) -> None:
        """Write what is not in the file yet, and close it."""
        self.write(wait_s=LOCK_WAIT_S)
        if self._failing:  # the file may have been damaged meanwhile: it is replaced then
            self.write(wait_s=LOCK_WAIT_S)
        if self.unwritten:
            _LOG.error("outbox_events_lost", path=self._path, events=self.unwritten, reason=self._write_problem)
        if self._file is not None:
            self._file.close()

    def _write_soon(self) -> None:
        # After a failure, retry() writes: to try again at each change would cost more and more.
        if not (self._deferred or self._failing):
            self._deferred = True
            self._defer(self._write_deferred)

    def _write_deferred(self) -> None:
        if self._deferred and not self._failing:
            self.write()
        self._deferred = False

    def _collect(self) -> Changes:
        changes = Changes(dropped=self._dropped, replace_all=self._replace_all)
        for number, change in self._changes.items():
            if isinstance(change, Entry):
                message = change.message
                changes.put.append((number, message.topic, message.payload, message.qos, message.retain))
            elif change is None:
                changes.deleted.append((number,))
            else:
                changes.set_aside.append((number, change.topic, change.payload, change.reason))
        return changes

    def _open(self) -> None:
        if not self._may_open():
            self._fail("the data folder is not locked")
            return
        try:
            self._file, stored = open_outbox_file(self._path, limit=self._limit, on_set_aside=self._note_damage)
        except UnavailableFileError as error:
            self._fail(str(error))
            return
        if not self._content_known:
            self._content_known = True
            self._on_stored(stored)

    def _note_damage(self, damage: str) -> None:
        self.files_set_aside += 1
        self._damage = damage

    def _give_up_file(self, reason: str) -> None:
        """Set aside the file, which has been damaged since it was opened; the next attempt writes all to a new one."""
        assert self._file is not None
        self._file.close()
        self._file = None
        try:
            self._note_damage(set_aside_file(self._path, reason))
        except OSError as error:
            reason = error.strerror or str(error)
        self.replace_all()
        self._fail(reason)

    def _fail(self, reason: str) -> None:
        self._failing = True
        self._failed_s = time.monotonic()
        self._write_problem = reason
        level = logging.DEBUG if reason in self._failures else logging.WARNING
        self._failures.add(reason)
        _LOG.log(level, "outbox_not_written", path=self._path, reason=reason)

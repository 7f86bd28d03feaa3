"""Uploads closed recordings to shared storage while the daemon runs.

A failure is tried again, and reported if it lasts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from models.storage.folder import StorageFolder
from service.base.backoff import Backoff
from service.base.executor import run_abandonable
from service.base.logs import RepeatedFailure, get_logger
from service.base.states import UploadTotals
from service.recording.daemon_id import daemon_id
from service.recording.upload_journal import JOURNAL_NAME, UploadJournal
from service.recording.upload_queue import UploadQueue
from stinger.errors import StingerError
from stinger.paths import recordings_dir
from stinger.storage_url import StorageUrl

LOOK_S: Final = 10.0
"""Interval at which to look for recordings that were closed."""
LAG_S: Final = 600.0
"""A recording that has waited for longer is reported."""
PAUSE_FOR_WORK: Final = 1.0
"""Seconds of pause after each second of uploading. Python runs one thread at a time: while the library for the storage
works, scoring waits for it, by some milliseconds each time."""
FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 60.0

_LOG = get_logger(__name__)


def upload_queue(data_dir: Path, folder: StorageFolder) -> UploadQueue:
    """Return the queue of the recordings in the data folder ``data_dir``, for a folder of this daemon below ``folder``.

    Raises :class:`~stinger.errors.FileError` if a file in the data folder cannot be read or written.
    """
    own = folder.below(daemon_id(data_dir))
    journal = UploadJournal(data_dir / JOURNAL_NAME, folder.url)
    recordings = recordings_dir(data_dir)
    journal.drop_deleted(recordings)
    return UploadQueue(recordings, own, journal)


class Uploading:
    """Uploads to ``url`` the recordings of the queue that ``open_queue`` returns, which is called in another thread.

    ``on_problem`` is called with a line when a recording has waited for more than ``lag_s``, and with an empty one when
    none does any more.
    """

    def __init__(
        self,
        url: StorageUrl,
        open_queue: Callable[[], UploadQueue],
        *,
        on_problem: Callable[[str], None],
        look_s: float = LOOK_S,
        lag_s: float = LAG_S,
        longest_retry_s: float = LONGEST_RETRY_S,
    ) -> None:
        self._url = url
        self._open_queue = open_queue
        self._on_problem = on_problem
        self._look_s = look_s
        self._lag_s = lag_s
        self._queue: UploadQueue | None = None
        self._created_s = time.monotonic()
        self._backoff = Backoff(min(FIRST_RETRY_S, longest_retry_s), longest_retry_s)
        self._failure = ""
        self._log = RepeatedFailure(_LOG, "recordings_not_uploaded")

    def totals(self) -> UploadTotals:
        """Return the totals, and what waits now; may be called from any thread."""
        return UploadTotals() if self._queue is None else self._queue.totals()

    async def run(self) -> None:
        """Upload until cancelled. A failure is logged and tried again; it never ends this."""
        while True:
            try:
                await self._upload_all()
            except StingerError as error:
                wait_s = self._failed(str(error))
            except Exception as error:  # noqa: BLE001 - the daemon continues, and tries again
                _LOG.exception("uploading_failed")
                wait_s = self._failed(f"uploading has failed, see the log: {error!r:.200}")
            else:
                wait_s = self._look_s
            self._report()
            await asyncio.sleep(wait_s)

    async def _upload_all(self) -> None:
        """Look for recordings and upload each. Raises :class:`StingerError` at the first that fails."""
        if self._queue is None:
            self._queue = await run_abandonable(self._open_queue)
        for problem in await run_abandonable(self._queue.look):
            _LOG.debug("recording_not_examined", reason=problem)
        before = self._queue.totals().uploaded
        while True:
            began_s = time.monotonic()
            if not await run_abandonable(self._queue.upload_next):
                break
            if self._failure:
                _LOG.warning("upload_resumed", url=self._url, failures=self._log.reset() + 1)
                self._failure = ""
            self._backoff.reset()
            self._report()
            await asyncio.sleep(PAUSE_FOR_WORK * (time.monotonic() - began_s))
        totals = self._queue.totals()
        if totals.uploaded > before:
            _LOG.info("recordings_uploaded", count=totals.uploaded - before, url=self._url)

    def _failed(self, reason: str) -> float:
        """Note the reason of a failure; return after how many seconds to try again."""
        self._failure = reason
        self._log.log(reason, waiting=self.totals().waiting)
        return self._backoff.next_s()

    def _report(self) -> None:
        waited_s = time.monotonic() - self._created_s if self._queue is None else self._queue.totals().waiting_s
        if waited_s <= self._lag_s:
            self._on_problem("")
            return
        reason = self._failure or "the upload is slower than recording"
        # No number that changes: each new text would be a new alarm.
        self._on_problem(f"recordings have waited for their upload for more than {self._lag_s / 60:g} min: {reason}")

"""Pruning of recordings while the daemon runs: at its start, every hour, and on request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from service.base.logs import get_logger
from service.recording.retention import Limits, Pruned, Retention

INTERVAL_S: Final = 3600.0

_LOG = get_logger(__name__)


async def prune_periodically(
    retention: Retention,
    limits: Callable[[], Limits],
    requested: asyncio.Event,
    on_pruned: Callable[[Pruned], None],
    *,
    interval_s: float = INTERVAL_S,
) -> None:
    """Prune until cancelled: at once, then every ``interval_s`` and whenever ``requested`` is set.

    Each round uses the limits that ``limits`` returns then, and passes its result to ``on_pruned``. Files are read and
    deleted in another thread; after cancelling, that thread ends after its current file.
    """
    last = Pruned()
    while True:
        requested.clear()
        try:
            pruned = await asyncio.to_thread(retention.prune, limits())
        except asyncio.CancelledError:
            retention.stop()
            raise
        except Exception as error:  # noqa: BLE001 - the daemon continues, with an alarm, and tries again
            _LOG.exception("pruning_failed")
            pruned = replace(last, deleted=(), problems=(f"pruning has failed, see the log: {error!r:.200}",))
        last = pruned
        if pruned.deleted:
            _LOG.info(
                "recordings_pruned",
                deleted=len(pruned.deleted),
                bytes=pruned.deleted_bytes,
                kept_for_models=len(pruned.kept_for_models),
                kept_for_upload=len(pruned.kept_for_upload),
                left=pruned.left,
                left_bytes=pruned.left_bytes,
            )
        if pruned.deleted_not_uploaded:
            _LOG.warning(
                "recordings_deleted_before_upload", count=pruned.deleted_not_uploaded, reason="the disk is full"
            )
        on_pruned(pruned)
        with suppress(TimeoutError):
            async with asyncio.timeout(interval_s):  # wait_for may swallow a cancellation before Python 3.12
                await requested.wait()

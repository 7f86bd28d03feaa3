"""Pruning of recordings while the daemon runs: at its start, every hour, and at once when the disk takes no more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from service.base.logs import event_text
from service.recording.retention import Limits, Pruned, Retention

EVERY_S: Final = 3600.0

_LOG = logging.getLogger(__name__)


async def keep_pruning(
    retention: Retention,
    limits: Callable[[], Limits],
    now: asyncio.Event,
    done: Callable[[Pruned], None],
    *,
    every_s: float = EVERY_S,
) -> None:
    """Prune until cancelled: first at once, then every ``every_s`` and whenever ``now`` is set.

    Each time the current ``limits`` count, and ``done`` is told what came of it. Deleting, and looking what may be deleted, happens in another thread; cancelled, it ends there after the next file.
    """
    while True:
        now.clear()
        try:
            pruned = await asyncio.to_thread(retention.prune, limits())
        except asyncio.CancelledError:
            retention.end()
            raise
        if pruned.deleted:
            _LOG.info(
                event_text(
                    "recordings_pruned",
                    deleted=len(pruned.deleted),
                    bytes=pruned.deleted_bytes,
                    spared=len(pruned.spared),
                    left=pruned.left,
                    left_bytes=pruned.left_bytes,
                )
            )
        done(pruned)
        with suppress(TimeoutError):
            await asyncio.wait_for(now.wait(), every_s)

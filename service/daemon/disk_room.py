"""Room on the disk of the data folder.

Finds how much is free, and deletes old recordings at the start if it is too little.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Final

from service.base.logs import get_logger
from service.config.config import Config
from service.ops.metrics import Metrics
from service.recording.retention import Pruned, Retention, limits_of

_MEGABYTE: Final = 1_000_000

_LOG = get_logger(__name__)


async def make_room(config: Config, retention: Retention, metrics: Metrics) -> None:
    """Delete old recordings within the limits of the configuration if the disk is almost full."""
    if is_disk_full(config):
        free = free_bytes(config.data_dir)
        pruned = await asyncio.to_thread(retention.prune, limits_of(config.recorder, disk_full=True))
        report_pruned(metrics, pruned)
        if pruned.deleted:
            _LOG.warning(
                "recordings_pruned",
                deleted=len(pruned.deleted),
                not_uploaded=pruned.deleted_not_uploaded,
                bytes=pruned.deleted_bytes,
                free_before=free,
            )


def is_disk_full(config: Config) -> bool:
    """Return whether fewer bytes are free than the configuration wants to keep free."""
    free = free_bytes(config.data_dir)
    return free is not None and free < config.recorder.keep_free_mb * _MEGABYTE


def report_pruned(metrics: Metrics, pruned: Pruned) -> None:
    """Store the result of pruning in ``metrics``."""
    metrics.set_stored(
        kept=pruned.left,
        kept_bytes=pruned.left_bytes,
        deleted=len(pruned.deleted),
        deleted_before_upload=pruned.deleted_not_uploaded,
    )


def free_bytes(folder: Path) -> int | None:
    """Return the free space of the disk that holds ``folder``; ``None`` if the system does not report it."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None

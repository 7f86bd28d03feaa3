"""The parts of a daemon that use shared storage: uploading recordings, and following a shared registry."""

from __future__ import annotations

from functools import partial

from models.registry import Registry
from models.shared_registry import SharedRegistry, open_registry
from models.storage.folder import StorageFolder
from service.config.config import Config
from service.daemon.alarms import Alarms
from service.daemon.registry_follower import RegistryFollower
from service.ops.metrics import Metrics
from service.recording.uploading import Uploading, upload_queue


async def read_registry(config: Config, alarms: Alarms) -> tuple[Registry, RegistryFollower | None]:
    """Return the registry and, for a shared one, which is read once, its follower."""
    registry = open_registry(config.data_dir, config.registry)
    if not isinstance(registry, SharedRegistry):
        return registry, None
    follower = RegistryFollower(registry, on_problem=alarms.on_shared_registry)
    await follower.read_at_start()
    return registry, follower


def make_uploading(config: Config, shared: StorageFolder | None, alarms: Alarms, metrics: Metrics) -> Uploading | None:
    """Return what uploads recordings to the folder ``shared``, if there is one; its totals are in ``metrics``."""
    if shared is None:
        return None
    uploading = Uploading(shared.url, partial(upload_queue, config.data_dir, shared), on_problem=alarms.on_uploading)
    metrics.uploads = uploading.totals
    return uploading

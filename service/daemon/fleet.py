"""Connects a source that is shared with other daemons to the parts of this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from models.threshold import Threshold
from service.base.sink import Sink
from service.base.source import Source
from service.base.states import GroupFigures, Saved
from service.config.source_url import NatsUrl, SharedUrl, SourceUrl
from service.daemon.fence import Fence
from service.daemon.pipeline import Pipeline
from service.mqtt.outbox import Outbox
from service.ops.metrics import Metrics
from service.recording.pacing import PacedRecorder
from service.recording.recorder import Recorder
from service.sources.device_limit import DeviceLimit
from service.sources.nats_leases import partition_of
from stinger.device_name import DeviceName
from stinger.errors import InputError
from stinger.packages import install_command

if TYPE_CHECKING:
    from service.sources.nats_source import NatsSource


@runtime_checkable
class SharedSource(Protocol):
    """A source whose devices are shared with the other daemons of a group."""

    sink: Sink
    """Notes what has been processed; subscribed to the pipeline after all other sinks."""

    @property
    def figures(self) -> GroupFigures:
        """What this daemon does in the group now."""


class PartitionThresholds:
    """The thresholds that were set for single devices of ``pipeline``, by partition: they move with it."""

    def __init__(self, pipeline: Pipeline, partitions: int) -> None:
        self._pipeline = pipeline
        self._partitions = partitions

    def of(self, partition: int) -> Mapping[DeviceName, Threshold]:
        """Return those of the devices in ``partition``."""
        every = self._pipeline.decisions.thresholds
        return {name: value for name, value in every.items() if partition_of(name, self._partitions) == partition}

    def adopt(self, partition: int, thresholds: Mapping[DeviceName, Threshold]) -> None:
        """Use ``thresholds`` for the devices in ``partition``, and the common threshold for its others."""
        for name in self.of(partition).keys() - thresholds.keys():
            self._pipeline.reset_threshold(name)
        for name, threshold in thresholds.items():
            self._pipeline.set_threshold(name, threshold)


def fence_of(urls: Sequence[SourceUrl]) -> Fence | None:
    """Return the fence for the messages of a daemon with the sources ``urls``; ``None`` if none of them is shared."""
    shared = next((url for url in urls if isinstance(url, NatsUrl)), None)
    if shared is None:
        return None
    own = [url.device for url in urls if not isinstance(url, SharedUrl)]
    return Fence(shared.partitions, exempt=own)


def join_group(
    url: NatsUrl,
    *,
    fence: Fence | None,
    pipeline: Pipeline,
    limit: DeviceLimit,
    release: Callable[[DeviceName], None],
    saved: Callable[[], Saved],
) -> NatsSource:
    """Return the source of ``url``, which takes part in its group while it runs; see :class:`NatsSource`."""
    try:
        from service.sources.nats_source import NatsSource  # noqa: PLC0415 - needs an extra
    except ModuleNotFoundError as error:
        if error.name != "nats":
            raise
        raise InputError(f"source '{url}' needs nats-py: {install_command('nats')}") from error
    assert fence is not None
    thresholds = PartitionThresholds(pipeline, url.partitions)
    return NatsSource(url, release=release, saved=saved, rights=fence, thresholds=thresholds, limit=limit)


def group_source(sources: Iterable[Source]) -> SharedSource | None:
    """Return the source among ``sources`` that is shared; ``None`` if there is none."""
    return next((source for source in sources if isinstance(source, SharedSource)), None)


def saved_state(pacing: PacedRecorder, recorder: Recorder, outbox: Outbox) -> Saved:
    """Return whether all samples that were processed are recorded, and all events in the file of the outbox."""
    stats = recorder.stats()
    return Saved(not (pacing.holds_samples or stats.alarm or outbox.unwritten), stats.lost)


def connect_group_metrics(metrics: Metrics, fence: Fence, shared: SharedSource) -> None:
    """Have ``metrics`` read the figures of ``shared`` and ``fence``."""
    metrics.group = lambda: shared.figures
    metrics.messages_fenced = lambda: fence.refused

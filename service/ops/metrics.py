"""The daemon's metrics for Prometheus: plain numbers that the event loop increments and a scrape reads.

The event loop's thread is the only writer, and a scrape in another thread only reads. So no locks are needed, and
counting costs no more than an addition.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from service.base.source import LinkReport
from service.base.states import GroupFigures, RecorderStats, UploadTotals
from service.ops.device_metrics import DeviceMetrics, device_families
from service.ops.exposition import Family, expose, label
from service.ops.histogram import Histogram
from service.ops.process_metrics import process_metrics

BUCKETS_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Upper bounds of the latency histograms."""

STAGES: Final = ("read", "score", "decision", "acknowledged")
LEAD_BUCKETS_S: Final = (0.0, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds of the histogram of leads; those just below 0.1 s count shots with wheels that were almost at speed."""


class Metrics:
    """All metrics of a daemon; none is global.

    The histograms of latency are ``read``: from reading a sample's bytes to the start of its processing; ``score``: the
    model's run; ``decision``: from reading to the decision; ``acknowledged``: from an event to the broker's
    acknowledgement.

    Attributes that are callables are called at every scrape, in the scraping thread.
    """

    def __init__(self) -> None:
        self.read = Histogram(BUCKETS_S)
        self.score = Histogram(BUCKETS_S)
        self.decision = Histogram(BUCKETS_S)
        self.acknowledged = Histogram(BUCKETS_S)
        self.lead = Histogram(LEAD_BUCKETS_S)
        """Time from spin-up to shot, of accepted shots for which the wheels were on."""
        self.alarms: dict[str, bool] = {}
        """Whether there is an alarm, by its topic; topics that never had one may be missing."""
        self.model_refused = False
        """Whether the registry's champion cannot be used, so that another model stays in use."""
        self.broker_connected = False
        self.broker_connects = 0
        """Connections made to the broker; all but the first are reconnections."""
        self.events_dropped: Callable[[], int] = lambda: 0
        """Number of events dropped because the outbox was full."""
        self.outbox_depth: Callable[[], int] = lambda: 0
        """Number of events in the outbox."""
        self.outbox_unwritten: Callable[[], int] = lambda: 0
        """Number of events in the outbox that could not be written to its file."""
        self.events_set_aside: Callable[[], int] = lambda: 0
        """Number of events that cannot be published."""
        self.outbox_files_set_aside: Callable[[], int] = lambda: 0
        """Number of damaged outbox files."""
        self.messages_refused: Callable[[], int] = lambda: 0
        """Number of messages that the broker refused."""
        self.messages_too_long: Callable[[], int] = lambda: 0
        """Number of messages longer than the broker accepts."""
        self.messages_fenced: Callable[[], int] = lambda: 0
        """Number of messages that were not sent because another daemon may serve their device."""
        self.devices_refused: Callable[[], int] = lambda: 0
        """Number of messages of devices over MQTT that were not accepted."""
        self.group: Callable[[], GroupFigures | None] = lambda: None
        """This daemon's part in a group; ``None`` if it shares no source."""
        self.recorder: Callable[[], RecorderStats | None] = lambda: None
        """Totals of the recorder; ``None`` while there is no recorder."""
        self.uploads: Callable[[], UploadTotals | None] = lambda: None
        """Totals of uploading recordings to shared storage; ``None`` if they are not uploaded."""
        self.stored_recordings = self.stored_bytes = 0
        """Recordings on the disk and their size, as of the last pruning."""
        self.recordings_pruned = 0
        """Recordings deleted because they were too old or too many."""
        self.deleted_before_upload = 0
        """Recordings deleted before they were uploaded, because the disk was full."""
        self.free_bytes: Callable[[], int | None] = lambda: None
        """Free bytes on the disk of the data folder; ``None`` if unknown."""
        self._devices: dict[str, DeviceMetrics] = {}
        self._models: dict[str, str] = {}
        self._started_s = time.time()

    def device(self, name: str) -> DeviceMetrics:
        """Return the counters of a device, created at the first call.

        Too slow for every sample: callers keep the result.
        """
        found = self._devices.get(name)
        if found is None:
            found = self._devices[name] = DeviceMetrics(name)
        return found

    def forget(self, name: str) -> None:
        """Remove the device ``name``."""
        self._devices.pop(name, None)
        self._models.pop(name, None)

    def set_link(self, report: LinkReport) -> None:
        """Store the state and counters of a device's link."""
        device = self.device(report.device)
        device.state = report.state
        device.link = report.counters

    def set_model(self, device: str, model: str) -> None:
        """Store the version of the model in use for ``device``."""
        self._models[device] = model

    def set_stored(self, *, kept: int, kept_bytes: int, deleted: int, deleted_before_upload: int = 0) -> None:
        """Store the result of pruning: ``kept`` recordings of ``kept_bytes`` on the disk, and ``deleted`` more deleted."""
        self.stored_recordings, self.stored_bytes = kept, kept_bytes
        self.recordings_pruned += deleted
        self.deleted_before_upload += deleted_before_upload

    def expose(self) -> bytes:
        """Return everything in Prometheus' text format, :data:`service.ops.exposition.CONTENT_TYPE`.

        May be called from any thread.
        """
        return expose(self._families()) + process_metrics()

    def _families(self) -> Iterator[Family]:
        yield from device_families(list(self._devices.values()))
        models = [f"{{{label('device', d)},{label('version', m)}}} 1" for d, m in list(self._models.items())]
        yield Family("stinger_model_info", "gauge", "The version of the model in use.", models)
        yield from self._daemon_families()
        yield from self._recorder_families()
        yield from self._group_families()
        yield Family(
            "stinger_latency_seconds",
            "histogram",
            "Latency by stage: read to processing, model run, read to decision, event to acknowledgement.",
            [row for name in STAGES for row in self._stage(name).rows(label("stage", name))],
        )
        yield Family(
            "stinger_lead_seconds",
            "histogram",
            "Time from spin-up to accepted shot, if the wheels were on.",
            self.lead.rows(""),
        )

    def _daemon_families(self) -> Iterator[Family]:
        reconnects = max(0, self.broker_connects - 1)
        build = f"{{{label('version', _version())},{label('python', platform.python_version())}}} 1"
        yield Family("stinger_build_info", "gauge", "The version of this software.", [build])
        yield _single("start_time_seconds", "gauge", "Unix time at which the daemon started.", self._started_s)
        yield _single("devices", "gauge", "Known devices.", len(self._devices))
        yield _single(
            "devices_refused_total", "counter", "Messages of devices that were not accepted.", self.devices_refused()
        )
        refused = int(self.model_refused)
        yield _single(
            "model_refused", "gauge", "1 while the champion cannot be used and another model is in use.", refused
        )
        yield Family(
            "stinger_alarm",
            "gauge",
            "1 while there is an alarm, by topic; the daemon's status has its text.",
            [f"{{{label('topic', topic)}}} {int(active)}" for topic, active in self.alarms.items()],
        )
        yield _single("broker_up", "gauge", "1 while the broker is connected.", int(self.broker_connected))
        yield _single("broker_reconnects_total", "counter", "Reconnections to the broker.", reconnects)
        yield _single("outbox_events", "gauge", "Events that the broker has not acknowledged.", self.outbox_depth())
        yield _single(
            "events_dropped_total", "counter", "Events dropped because the outbox was full.", self.events_dropped()
        )
        yield _single(
            "outbox_unwritten",
            "gauge",
            "Waiting events that could not be written to the disk.",
            self.outbox_unwritten(),
        )
        yield _single(
            "events_set_aside_total", "counter", "Events set aside: they cannot be published.", self.events_set_aside()
        )
        yield _single(
            "outbox_files_set_aside_total", "counter", "Damaged outbox files set aside.", self.outbox_files_set_aside()
        )

        yield _single("messages_refused_total", "counter", "Messages that the broker refused.", self.messages_refused())
        yield _single(
            "messages_too_long_total", "counter", "Messages longer than the broker accepts.", self.messages_too_long()
        )

    def _recorder_families(self) -> Iterator[Family]:
        yield _single("recordings", "gauge", "Recordings on the disk, as of the last pruning.", self.stored_recordings)
        yield _single(
            "recordings_bytes", "gauge", "Size of the recordings on the disk, with sidecars.", self.stored_bytes
        )
        yield _single(
            "recordings_pruned_total", "counter", "Recordings deleted by age or size.", self.recordings_pruned
        )
        yield from self._upload_families()
        free = self.free_bytes()
        if free is not None:
            yield _single("data_free_bytes", "gauge", "Free bytes on the disk of the data folder.", free)
        stats = self.recorder()
        if stats is None:
            return
        yield _single("recorder_samples_total", "counter", "Samples recorded.", stats.samples)
        yield _single("recorder_bytes_total", "counter", "Bytes of samples recorded.", stats.bytes)
        yield _single("recorder_samples_lost_total", "counter", "Samples that could not be written.", stats.lost)
        yield _single("recorder_errors_total", "counter", "Failed file operations.", stats.errors)
        yield _single("recorder_files_total", "counter", "Recordings started.", stats.files)
        yield _single("recorder_open_files", "gauge", "Recordings being written.", stats.open_files)
        yield _single("recorder_stopped", "gauge", "1 while no samples can be written to the disk.", int(stats.alarm))

    def _upload_families(self) -> Iterator[Family]:
        totals = self.uploads()
        if totals is None:
            return
        yield _single("recordings_uploaded_total", "counter", "Recordings uploaded to shared storage.", totals.uploaded)
        yield _single("recordings_uploaded_bytes_total", "counter", "Bytes of samples uploaded.", totals.uploaded_bytes)
        yield _single(
            "recordings_upload_failures_total", "counter", "Uploads that failed and are tried again.", totals.failures
        )
        yield _single("recordings_upload_waiting", "gauge", "Closed recordings not yet uploaded.", totals.waiting)
        yield _single(
            "recordings_upload_waiting_bytes", "gauge", "Bytes of samples not yet uploaded.", totals.waiting_bytes
        )
        yield _single(
            "recordings_upload_waiting_seconds",
            "gauge",
            "How long the oldest recording has waited for its upload, since the daemon's start at most.",
            totals.waiting_s,
        )
        yield _single(
            "recordings_deleted_before_upload_total",
            "counter",
            "Recordings deleted before their upload because the disk was full.",
            self.deleted_before_upload,
        )

    def _group_families(self) -> Iterator[Family]:
        group = self.group()
        if group is None:
            return
        yield _single("group_partitions", "gauge", "Partitions of the group.", group.partitions)
        yield _single("partitions_held", "gauge", "Partitions that this daemon reads.", group.held)
        yield _single("lag_messages", "gauge", "Messages of these that wait to be scored.", group.lag_messages)
        yield _single("lag_seconds", "gauge", "Age of the oldest of them.", group.lag_s)
        yield _single("takeovers_total", "counter", "Partitions taken over from another daemon.", group.takeovers)
        yield _single(
            "stream_messages_ignored_total",
            "counter",
            "Messages of the stream that are no samples, or of devices that were not accepted.",
            group.ignored,
        )
        yield _single(
            "messages_fenced_total",
            "counter",
            "Messages not sent, as another daemon may serve the device.",
            self.messages_fenced(),
        )

    def _stage(self, name: str) -> Histogram:
        stage = getattr(self, name)
        assert isinstance(stage, Histogram)
        return stage


def _single(name: str, kind: str, help_: str, value: float) -> Family:
    return Family(f"stinger_{name}", kind, help_, [f" {value}"])


def _version() -> str:
    try:
        return version("stinger-ml")
    except PackageNotFoundError:  # run from a copied folder
        return "unknown"

"""Counters of the daemon for Prometheus: plain numbers that the flow adds to, read when somebody asks.

The flow runs in one thread and only adds; a scrape in another thread reads. So nothing is locked, and counting costs
the flow no more than adding does.
"""

from __future__ import annotations

import platform
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from service.base.events import Event, FalseSpinUp, Shot, WheelsSwitched
from service.base.source import LinkCounters, LinkReport, LinkState
from service.base.states import RecorderStats
from service.ops.exposition import Family, expose, histogram_rows, label
from stinger.shots import MIN_LEAD_MS

BUCKETS_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Upper bounds of the latency histograms."""

STAGES: Final = ("read", "score", "decision", "acknowledged")
LEAD_BUCKETS_S: Final = (0.0, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds of the histogram of leads; those just below 0.1 s tell of wheels that were nearly at speed."""


class Histogram:
    """How long something took, for all devices together."""

    __slots__ = ("_bounds_ns", "bounds_s", "counts", "sum_ns")

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self.bounds_s = bounds_s
        self._bounds_ns = tuple(round(bound * 1e9) for bound in bounds_s)
        self.counts = [0] * (len(bounds_s) + 1)
        """For each bound, and beyond the last, how many lie below it and above the one before."""
        self.sum_ns = 0

    def took(self, duration_ns: int, count: int = 1) -> None:
        """Count ``count`` things that took ``duration_ns`` each."""
        self.counts[bisect_left(self._bounds_ns, duration_ns)] += count
        self.sum_ns += duration_ns * count

    def rows(self, labels: str) -> list[str]:
        """Its rows in the text that Prometheus reads."""
        return histogram_rows(labels, self.bounds_s, list(accumulate(self.counts)), self.sum_ns / 1e9)


class DeviceMetrics:
    """The numbers of one device, since the daemon began. The flow adds to those that have no method."""

    __slots__ = (
        "accepted",
        "bursts",
        "device",
        "false_spinups",
        "gaps",
        "in_time",
        "labels",
        "link",
        "samples",
        "scores",
        "spinups",
        "state",
        "wheels_on",
    )

    def __init__(self, device: str) -> None:
        self.device = device
        self.labels = label("device", device)
        self.samples = 0
        """Samples that came."""
        self.scores = 0
        """Windows scored."""
        self.gaps = 0
        """Times the window was started over."""
        self.accepted = 0
        self.bursts = 0
        self.in_time = 0
        """Accepted shots with a lead of at least what wheels need to reach speed."""
        self.spinups = 0
        self.false_spinups = 0
        self.wheels_on = False
        self.link = LinkCounters()
        self.state = LinkState.CONNECTING

    def count(self, event: Event) -> None:
        """Count what happened."""
        match event:
            case Shot(accepted=True, lead_ms=lead_ms):
                self.accepted += 1
                self.in_time += lead_ms is not None and lead_ms >= MIN_LEAD_MS
            case Shot():
                self.bursts += 1
            case WheelsSwitched(on=on):
                self.wheels_on = on
                self.spinups += on
            case FalseSpinUp():
                self.false_spinups += 1


class Metrics:
    """Everything that is counted; nothing is global. :attr:`registry` is for what counts in prometheus-client's own way.

    ``read``, ``score``, ``decision`` and ``acknowledged`` are the stages of a sample: from its bytes' arrival to the
    flow taking it up, the model's run, from arrival to the decision, and from an event's making to the broker's
    acknowledgement.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.read = Histogram(BUCKETS_S)
        self.score = Histogram(BUCKETS_S)
        self.decision = Histogram(BUCKETS_S)
        self.acknowledged = Histogram(BUCKETS_S)
        self.lead = Histogram(LEAD_BUCKETS_S)
        """From spin-up to shot, of accepted shots for which the wheels were on."""
        self.model_refused = False
        """Whether the registry's champion cannot serve, so that another model goes on."""
        self.broker_connected = False
        self.broker_connects = 0
        """Connections made to the broker; all but the first are reconnects."""
        self.events_dropped: Callable[[], int] = lambda: 0
        """Events that were given up because the outbox was full; asked at every scrape, in the scraping thread."""
        self.outbox_depth: Callable[[], int] = lambda: 0
        """Asked at every scrape, in the scraping thread."""
        self.recorder: Callable[[], RecorderStats | None] = lambda: None
        """Asked at every scrape, in the scraping thread."""
        self.stored_recordings = self.stored_bytes = 0
        """What was on the disk when it was last looked at."""
        self.recordings_pruned = 0
        """Recordings deleted because they were too old or too many."""
        self.free_bytes: Callable[[], int | None] = lambda: None
        """What is free where recordings and events are kept; asked at every scrape, in the scraping thread."""
        self._devices: dict[str, DeviceMetrics] = {}
        self._models: dict[str, str] = {}
        self._started_s = time.time()
        ProcessCollector(registry=self.registry)

    def device(self, name: str) -> DeviceMetrics:
        """The numbers of one device: ask once and keep them."""
        found = self._devices.get(name)
        if found is None:
            found = self._devices[name] = DeviceMetrics(name)
        return found

    def forget(self, name: str) -> None:
        """Show ``name`` no more."""
        self._devices.pop(name, None)
        self._models.pop(name, None)

    def link(self, report: LinkReport) -> None:
        """Take over what a source says of its link."""
        device = self.device(report.device)
        device.state = report.state
        device.link = report.counters

    def model(self, device: str, model: str) -> None:
        """``device`` is scored with ``model`` from now on."""
        self._models[device] = model

    def pruned(self, *, kept: int, kept_bytes: int, deleted: int) -> None:
        """Store what is on the disk after pruning: ``kept`` recordings of ``kept_bytes``, ``deleted`` fewer than before."""
        self.stored_recordings, self.stored_bytes = kept, kept_bytes
        self.recordings_pruned += deleted

    def expose(self) -> bytes:
        """Everything as Prometheus reads it (content type :data:`service.ops.exposition.CONTENT_TYPE`); from any thread."""
        return expose(self._families()) + generate_latest(self.registry)

    def _families(self) -> Iterator[Family]:
        yield from self._of_devices(list(self._devices.values()))
        yield from self._of_daemon()
        yield from self._of_recorder()
        yield Family(
            "stinger_latency_seconds",
            "histogram",
            "Time taken, by stage: bytes read to taken up, model run, read to decision, event to acknowledgement.",
            [row for name in STAGES for row in self._stage(name).rows(label("stage", name))],
        )
        yield Family(
            "stinger_lead_seconds",
            "histogram",
            "From spin-up to accepted shot, where the wheels were on.",
            self.lead.rows(""),
        )

    def _of_devices(self, devices: list[DeviceMetrics]) -> Iterator[Family]:
        def of_each(name: str, kind: str, help_: str, value: Callable[[DeviceMetrics], int]) -> Family:
            return Family(f"stinger_{name}", kind, help_, (f"{{{d.labels}}} {value(d)}" for d in devices))

        yield of_each("samples_total", "counter", "Samples that came.", lambda d: d.samples)
        yield of_each("scores_total", "counter", "Windows scored.", lambda d: d.scores)
        yield of_each("gaps_total", "counter", "Times the window was started over.", lambda d: d.gaps)
        yield of_each("samples_lost_total", "counter", "Samples sent that never came.", lambda d: d.link.lost)
        yield of_each("frames_corrupted_total", "counter", "Frames or lines damaged.", lambda d: d.link.corrupted)
        yield of_each("samples_out_of_order_total", "counter", "Out of order.", lambda d: d.link.out_of_order)
        yield of_each("link_reconnects_total", "counter", "Links made again.", lambda d: d.link.reconnects)
        yield of_each("link_up", "gauge", "1 while samples come.", lambda d: int(d.state is LinkState.STREAMING))
        yield of_each("wheels_on", "gauge", "1 while the wheels are on.", lambda d: int(d.wheels_on))
        yield of_each("spinups_total", "counter", "Times the wheels went on.", lambda d: d.spinups)
        yield of_each("false_spinups_total", "counter", "Spin-ups without a shot.", lambda d: d.false_spinups)
        yield of_each(
            "shots_in_time_total", "counter", "Accepted shots with a lead of 100 ms or more.", lambda d: d.in_time
        )
        shots = [f'{{{d.labels},result="accepted"}} {d.accepted}' for d in devices]
        shots += [f'{{{d.labels},result="burst"}} {d.bursts}' for d in devices]
        yield Family("stinger_shots_total", "counter", "Trigger edges: accepted, or a burst's.", shots)
        models = [f"{{{label('device', d)},{label('version', m)}}} 1" for d, m in list(self._models.items())]
        yield Family("stinger_model_info", "gauge", "The version of the model in use.", models)

    def _of_daemon(self) -> Iterator[Family]:
        reconnects = max(0, self.broker_connects - 1)
        build = f"{{{label('version', _version())},{label('python', platform.python_version())}}} 1"
        yield Family("stinger_build_info", "gauge", "The version of this software.", [build])
        yield _single("start_time_seconds", "gauge", "When the daemon began, Unix time.", self._started_s)
        yield _single("devices", "gauge", "Devices known.", len(self._devices))
        refused = int(self.model_refused)
        yield _single("model_refused", "gauge", "1 while the champion cannot serve and another model does.", refused)
        yield _single("broker_up", "gauge", "1 while the broker is connected.", int(self.broker_connected))
        yield _single("broker_reconnects_total", "counter", "Connections to the broker made again.", reconnects)
        yield _single("outbox_events", "gauge", "Events the broker has not acknowledged.", self.outbox_depth())
        yield _single("events_dropped_total", "counter", "Events given up: outbox full.", self.events_dropped())

    def _of_recorder(self) -> Iterator[Family]:
        yield _single("recordings", "gauge", "Recordings kept, as of the last look.", self.stored_recordings)
        yield _single("recordings_bytes", "gauge", "Bytes that they take, with sidecars.", self.stored_bytes)
        yield _single(
            "recordings_pruned_total", "counter", "Recordings deleted by age or size.", self.recordings_pruned
        )
        free = self.free_bytes()
        if free is not None:
            yield _single("data_free_bytes", "gauge", "Bytes free where data is kept.", free)
        stats = self.recorder()
        if stats is None:
            return
        yield _single("recorder_samples_total", "counter", "Samples recorded.", stats.samples)
        yield _single("recorder_bytes_total", "counter", "Bytes of samples recorded.", stats.bytes)
        yield _single("recorder_samples_lost_total", "counter", "Samples the disk did not take.", stats.lost)
        yield _single("recorder_errors_total", "counter", "Times the system refused something.", stats.errors)
        yield _single("recorder_files_total", "counter", "Recordings begun.", stats.files)
        yield _single("recorder_open_files", "gauge", "Recordings being written.", stats.open_files)
        yield _single("recorder_stopped", "gauge", "1 while the disk keeps samples from being kept.", int(stats.alarm))

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

"""The counters of one device, and the metrics of all devices made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from service.base.events import Event, FalseSpinUp, Shot, WheelsSwitched
from service.base.source import LinkCounters, LinkState
from service.ops.exposition import Family, label
from stinger.shots import MIN_LEAD_MS


class DeviceMetrics:
    """Counters of one device since the daemon started. Counters without a method are incremented directly."""

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
        """Samples received."""
        self.scores = 0
        """Windows scored."""
        self.gaps = 0
        """Times that the window was restarted."""
        self.accepted = 0
        self.bursts = 0
        self.in_time = 0
        """Accepted shots with a lead of at least the time that wheels need to reach speed."""
        self.spinups = 0
        self.false_spinups = 0
        self.wheels_on = False
        self.link = LinkCounters()
        self.state = LinkState.CONNECTING

    def count(self, event: Event) -> None:
        """Count an event."""
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


def device_families(devices: Sequence[DeviceMetrics]) -> Iterator[Family]:
    """Return the metrics of these devices, a series a device."""

    def per_device(name: str, kind: str, help_: str, value: Callable[[DeviceMetrics], int]) -> Family:
        return Family(f"stinger_{name}", kind, help_, (f"{{{d.labels}}} {value(d)}" for d in devices))

    yield per_device("samples_total", "counter", "Samples received.", lambda d: d.samples)
    yield per_device("scores_total", "counter", "Windows scored.", lambda d: d.scores)
    yield per_device("gaps_total", "counter", "Times that the window was restarted.", lambda d: d.gaps)
    yield per_device("samples_lost_total", "counter", "Samples sent but not received.", lambda d: d.link.lost)
    yield per_device(
        "frames_corrupted_total", "counter", "Damaged frames or lines received.", lambda d: d.link.corrupted
    )
    yield per_device(
        "samples_out_of_order_total", "counter", "Samples received out of order.", lambda d: d.link.out_of_order
    )
    yield per_device(
        "samples_late_total", "counter", "Late or repeated samples that were dropped.", lambda d: d.link.late
    )
    yield per_device(
        "samples_thinned_total", "counter", "Samples left out of streams above 100 Hz.", lambda d: d.link.thinned
    )
    yield per_device(
        "samples_unscored_total",
        "counter",
        "Samples not scored, as their rate is not about 100 Hz.",
        lambda d: d.link.unscored,
    )
    yield per_device("link_reconnects_total", "counter", "Reconnections of the link.", lambda d: d.link.reconnects)
    yield per_device("link_up", "gauge", "1 while samples arrive.", lambda d: int(d.state is LinkState.STREAMING))
    yield per_device("wheels_on", "gauge", "1 while the wheels are on.", lambda d: int(d.wheels_on))
    yield per_device("spinups_total", "counter", "Times that the wheels were switched on.", lambda d: d.spinups)
    yield per_device("false_spinups_total", "counter", "Spin-ups without a shot.", lambda d: d.false_spinups)
    yield per_device(
        "shots_in_time_total", "counter", "Accepted shots with a lead of 100 ms or more.", lambda d: d.in_time
    )
    shots = [f'{{{d.labels},result="accepted"}} {d.accepted}' for d in devices]
    shots += [f'{{{d.labels},result="burst"}} {d.bursts}' for d in devices]
    yield Family(
        "stinger_shots_total",
        "counter",
        "Trigger edges, by result: accepted, or burst (too soon after the last).",
        shots,
    )

"""The counters of one device."""

from __future__ import annotations

from service.base.events import Event, FalseSpinUp, Shot, WheelsSwitched
from service.base.source import LinkCounters, LinkState
from service.ops.exposition import label
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

"""What the pipeline keeps for one device between its blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.base.events import Telemetry
from service.base.source import LinkCounters, LinkState
from service.base.states import Stamps
from service.daemon.event_detector import EventDetector


@dataclass(slots=True, eq=False)
class DeviceState:
    """A device's event detector, the state of its link, and the counts for its telemetry."""

    detector: EventDetector
    boot: int = 0
    gaps: int = 0
    """How often the window started over, since the daemon started."""
    samples: int = 0
    """Samples scored since the last telemetry."""
    link: LinkState = LinkState.CONNECTING
    counters: LinkCounters = field(default_factory=LinkCounters)
    latencies_ms: list[float] = field(default_factory=list)
    """From reading to decision, of each block since the last telemetry."""

    def count(self, samples: int, stamps: Stamps) -> None:
        """Count a scored block of ``samples`` samples."""
        self.samples += samples
        self.latencies_ms.append((stamps.scored_ns - stamps.read_ns) / 1e6)

    def take_telemetry(self, host_s: float) -> Telemetry:
        """Return the figures since the last call, which should be a second ago, and start counting anew."""
        latencies, self.latencies_ms = self.latencies_ms, []
        latencies.sort()
        samples, self.samples = self.samples, 0
        return Telemetry(
            device=self.detector.device,
            host_s=host_s,
            probability=self.detector.probability,
            wheels_on=self.detector.wheels_on,
            rate_hz=float(samples),
            gaps=self.gaps,
            lost=self.counters.lost,
            corrupted=self.counters.corrupted,
            latency_p50_ms=_quantile(latencies, 0.50),
            latency_p99_ms=_quantile(latencies, 0.99),
            link=self.link.value,
            model=self.detector.model,
        )


def _quantile(ascending: list[float], part: float) -> float | None:
    """Return the value below which ``part`` of ``ascending`` lies; ``None`` if empty. NumPy takes 30 us a device for two."""
    return ascending[min(len(ascending) - 1, int(part * len(ascending)))] if ascending else None

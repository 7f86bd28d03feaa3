"""What the pipeline keeps of one device."""

from __future__ import annotations

from dataclasses import dataclass

from service.base.source import LinkCounters, LinkState
from service.daemon.event_detector import EventDetector


@dataclass(slots=True, eq=False)
class PipelineDevice:
    """A device of the pipeline: its detector, and the state of its link."""

    detector: EventDetector
    boot: int = 0
    link: LinkState = LinkState.CONNECTING
    counters: LinkCounters | None = None
    """Those of the last link report; ``None`` before the first."""

"""What the page knows about the daemon and its devices, from the daemon's messages.

No network: it is fed messages.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from service.mqtt.channels import ROOT
from service.watch.content import Content, parse_content
from service.web.score_history import ScoreHistory
from stinger.device_name import DAEMON, DeviceName, parse_device_name
from stinger.errors import InputError
from stinger.shots import MIN_LEAD_MS

UNKNOWN: Final = "unknown"
"""The state of a link while no messages of the daemon arrive."""
STREAMING: Final = "streaming"
ENDED: Final = ("lost", "ended")
"""The states of a link that has ended, which stay true when no messages arrive."""
MOST_DEVICES: Final = 1_000
"""Messages of further devices are ignored."""
_MARKS_KEPT: Final = 1_000
_TOPIC_LEVELS: Final = 3

MarkKind = Literal["in time", "late", "burst", "on", "off"]


@dataclass(frozen=True, slots=True)
class Mark:
    """An event at a moment of the device's clock: a shot, or the wheels going on or off."""

    time_ms: float
    kind: MarkKind
    time_of_day: str
    """UTC, as in the message; empty if it has none."""
    lead_ms: float | None = None
    """How long the wheels were on at a shot; ``None`` if they were off."""


@dataclass(slots=True)
class DeviceState:
    """What is known about one device."""

    name: DeviceName
    link: str = ""
    link_reason: str = ""
    wheels_on: bool = False
    model: str = ""
    threshold: float | None = None
    shots: int = 0
    """Accepted shots since the page's process was started; so are the next two."""
    in_time: int = 0
    false_spin_ups: int = 0
    last_shot: Mark | None = None
    last_shot_s: float = 0.0
    """When it arrived, by the monotonic clock."""
    telemetry: Content = field(default_factory=lambda: Content({}))
    scores: ScoreHistory = field(default_factory=ScoreHistory)
    marks: deque[Mark] = field(default_factory=lambda: deque(maxlen=_MARKS_KEPT))
    mark_count: int = 0
    """How many marks there ever were; :attr:`marks` holds the newest."""

    def marks_since(self, position: int) -> list[Mark]:
        """Return the marks after the first ``position``, as many as are kept."""
        new = min(self.mark_count - position, len(self.marks))
        return list(self.marks)[len(self.marks) - new :] if new > 0 else []


class DaemonState:
    """The state of a daemon and its devices, fed by :meth:`feed`."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self.devices: dict[DeviceName, DeviceState] = {}
        self.daemon = ""
        """``online``, ``offline``, or empty before the first message."""
        self.version = ""
        self.alarm = ""
        """All alarms on one line; empty if there is none."""
        self.alarms: Mapping[str, str] = {}
        """The texts of the alarms, by topic; empty also for a daemon that does not publish them one by one."""

    def feed(self, topic: str, payload: bytes) -> None:
        """Take a message. One that is not understood is ignored: any program may have published it."""
        content = parse_content(payload)
        parts = topic.split("/")
        if content is None or len(parts) != _TOPIC_LEVELS or parts[0] != ROOT:
            return
        _, name, kind = parts
        if name == DAEMON:
            self.daemon = content.text("state")
            self.version = content.text("version")
            self.alarm = content.text("alarm")
            self.alarms = content.texts("alarms")
            if self.daemon == "offline":
                self.lose_links()
            return
        try:
            device = parse_device_name(name)
        except InputError:
            return
        reader = _READERS.get(kind)
        if reader is None:
            return
        state = self.devices.get(device)
        if state is None:  # not made in advance: it holds five minutes of scores
            if len(self.devices) >= MOST_DEVICES:
                return
            state = self.devices[device] = DeviceState(device)
        reader(self, state, content)

    def lose_links(self) -> None:
        """Take note that no messages arrive: what is known of links, wheels and figures may be untrue by now."""
        for device in self.devices.values():
            if device.link not in ENDED:
                device.link, device.link_reason = UNKNOWN, ""
            device.wheels_on, device.telemetry = False, Content({})

    def _take_telemetry(self, state: DeviceState, content: Content) -> None:
        state.telemetry = content
        # A rate shows that samples arrive, also where no link message came: some brokers retain none.
        if state.link == UNKNOWN and content.number("rate_hz"):
            state.link = STREAMING
        state.wheels_on = content.flag("wheels_on")

    def _take_link(self, state: DeviceState, content: Content) -> None:
        state.link = content.text("state")
        state.link_reason = content.text("reason")

    def _take_model(self, state: DeviceState, content: Content) -> None:
        state.model = content.text("model")
        threshold = content.number("threshold")
        state.threshold = threshold if threshold is not None and 0 <= threshold <= 1 else None

    def _take_scores(self, state: DeviceState, content: Content) -> None:
        first_ms, period_ms = content.number("first_device_ms"), content.number("period_ms")
        if first_ms is not None and period_ms is not None:
            state.scores.add(int(first_ms), int(period_ms), content.numbers("probabilities"))

    def _take_shot(self, state: DeviceState, content: Content) -> None:
        lead_ms = content.number("lead_ms")
        in_time = lead_ms is not None and lead_ms >= MIN_LEAD_MS
        accepted = content.flag("accepted")
        state.shots += accepted
        state.in_time += accepted and in_time
        mark = _mark(state, content, ("in time" if in_time else "late") if accepted else "burst", lead_ms)
        if accepted:
            state.last_shot = mark
            state.last_shot_s = self._now_s()

    def _take_spinup(self, state: DeviceState, content: Content) -> None:
        state.wheels_on = content.text("state") == "on"
        _mark(state, content, "on" if state.wheels_on else "off")

    def _take_false_spinup(self, state: DeviceState, _content: Content) -> None:
        state.false_spin_ups += 1


def _mark(state: DeviceState, content: Content, kind: MarkKind, lead_ms: float | None = None) -> Mark:
    mark = Mark(content.number("device_ms") or 0.0, kind, content.text("time"), lead_ms)
    state.marks.append(mark)
    state.mark_count += 1
    return mark


_READERS: Final = {
    "telemetry": DaemonState._take_telemetry,  # noqa: SLF001 - of this class
    "link": DaemonState._take_link,  # noqa: SLF001
    "model": DaemonState._take_model,  # noqa: SLF001
    "scores": DaemonState._take_scores,  # noqa: SLF001
    "shot": DaemonState._take_shot,  # noqa: SLF001
    "spinup": DaemonState._take_spinup,  # noqa: SLF001
    "false_spinup": DaemonState._take_false_spinup,  # noqa: SLF001
}

"""The view of ``stinger watch``.

It turns a daemon's MQTT messages into a table for a terminal and a line for each event.
"""

from __future__ import annotations

import io
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from service.watch.content import Content, parse_content
from stinger.device_name import DAEMON, DeviceName, parse_device_name
from stinger.errors import InputError
from stinger.shots import MIN_LEAD_MS
from stinger.wording import printable

BARS: Final = " ▁▂▃▄▅▆▇█"
STRIP_WIDTH: Final = 48
SCORES_PER_BAR: Final = 5
"""At 100 Hz a bar stands for 50 ms; it shows the highest score in them."""
EVENTS_SHOWN: Final = 8
MOST_DEVICES: Final = 1_000
"""Messages of further devices are ignored."""
_NARROWEST_STRIP: Final = 10
_OTHER_COLUMNS: Final = 70
"""Width of a row without its strip of bars, with a name of ten letters. With the narrowest strip it fits into 80
columns.
"""
_HEADINGS: Final = (
    ("link", "left"),
    ("wheels", "left"),
    ("probability", "left"),
    ("shots", "right"),
    ("in\ntime", "right"),
    ("lead\nms", "right"),
    ("false", "right"),
    ("\nHz", "right"),
    ("latency\nms", "right"),
)
"""The columns to the right of the device's name, with their alignment."""
_NAME_LEAST: Final = 6
"""A device's name may be shortened to so many letters. Nothing else is: columns without room are left out, from the
right.
"""
_COLUMNS_LEAST: Final = 4
"""This many columns are shown however narrow the terminal is."""
_WITHOUT_TENTHS: Final = 100
"""Values from this one on are shown without tenths."""
_ENDLESS: Final = Console(width=10_000, file=io.StringIO())
"""A console only for measuring widths."""


@dataclass(slots=True)
class _Device:
    strip: deque[float | None] = field(default_factory=lambda: deque(maxlen=STRIP_WIDTH))
    pending: list[float | None] = field(default_factory=list)
    has_scores: bool = False
    wheels_on: bool = False
    shots: int = 0
    bursts: int = 0
    in_time: int = 0
    false_spin_ups: int = 0
    lead_ms: float | None = None
    link: str = ""
    link_reason: str = ""
    telemetry: Content = field(default_factory=lambda: Content({}))

    def add_scores(self, probabilities: list[float | None]) -> None:
        """Add scores to the strip, one bar for each :data:`SCORES_PER_BAR` of them."""
        self.has_scores = True
        self.pending += probabilities
        while len(self.pending) >= SCORES_PER_BAR:
            known = [p for p in self.pending[:SCORES_PER_BAR] if p is not None]
            self.strip.append(max(known, default=None))
            del self.pending[:SCORES_PER_BAR]


class View:
    """The state of a daemon and its devices as known from messages, fed by :meth:`feed` and drawn by :meth:`picture`."""

    def __init__(self, title: str) -> None:
        self.title = printable(title, keep="\n")
        self._daemon = "no message from a daemon yet"
        self._devices: dict[DeviceName, _Device] = {}
        self._events: deque[str] = deque(maxlen=EVENTS_SHOWN)

    def feed(self, topic: str, payload: bytes) -> str | None:
        """Take a message, and return the line to print for it, or None. Ignore a message that is not understood.

        Messages come from any program that may publish: no value in them is of the type or length that it should have.
        """
        content = parse_content(payload)
        parts = topic.split("/")
        if content is None or len(parts) != 3 or parts[0] != "stinger":  # noqa: PLR2004 - stinger/x/kind
            return None
        _, name, kind = parts
        if name == DAEMON:
            before = self._daemon
            self._daemon = f"daemon {content.text('state') or '?'}, version {content.text('version') or '?'}"
            alarm = content.text("alarm")
            if self._daemon == before and not alarm:
                return None  # the retained state, published again
            line = f"{self._daemon}{f', ALARM: {alarm}' if alarm else ''}"
            self._events.append(line)
            return line
        try:
            device = parse_device_name(name)
        except InputError:
            return None  # another program's topic
        known = device in self._devices or len(self._devices) < MOST_DEVICES
        event = self._take(device, kind, content) if known else None
        if event is not None:
            self._events.append(event)
        return event

    def lost(self, why: str) -> str:
        """Show ``why`` there is no connection in place of the daemon's state; return ``why``, as it is shown."""
        self._daemon = printable(why)
        return self._daemon

    def picture(self, width: int) -> RenderableType:
        """Return the present state as a table, for a terminal of ``width`` columns."""
        strip_width = min(STRIP_WIDTH, max(_NARROWEST_STRIP, width - _OTHER_COLUMNS))
        rows = [_row(name, device, strip_width) for name, device in sorted(self._devices.items())]
        spared = max((len(name) for name in self._devices), default=0) - _NAME_LEAST
        for columns in range(len(_HEADINGS), _COLUMNS_LEAST - 1, -1):
            table = _table(rows, columns)
            if _ENDLESS.measure(table).maximum - max(0, spared) <= width:
                break
        lines = [Text(line, overflow="ellipsis", no_wrap=True) for line in self._events]
        return Group(Text(self.title, style="bold"), Text(self._daemon), "", table, "", *lines)

    def _take(self, name: DeviceName, kind: str, content: Content) -> str | None:
        device = self._devices.setdefault(name, _Device())
        line = None
        match kind:
            case "telemetry":
                device.telemetry = content
                device.wheels_on = content.flag("wheels_on")
                if not device.has_scores:
                    device.strip.append(content.number("probability"))
            case "scores":
                device.add_scores(content.numbers("probabilities"))
            case "link":
                before = (device.link, device.link_reason)
                device.link, device.link_reason = content.text("state") or "?", content.text("reason")
                if before != (device.link, device.link_reason):
                    line = f"{name}: link {device.link}" + (f", {device.link_reason}" if device.link_reason else "")
            case "shot":
                line = self._shot(name, device, content)
            case "spinup":
                device.wheels_on = content.text("state") == "on"
            case "false_spinup":
                device.false_spin_ups += 1
                line = f"{_clock(content)} {name}: false spin-up of {_whole(content.number('duration_ms'))} ms"
        return line

    def _shot(self, name: str, device: _Device, content: Content) -> str:
        lead_ms = content.number("lead_ms")
        accepted = content.flag("accepted")
        device.lead_ms = lead_ms
        if accepted:
            device.shots += 1
            device.in_time += lead_ms is not None and lead_ms >= MIN_LEAD_MS
        else:
            device.bursts += 1
        wheels = "wheels off" if lead_ms is None else f"wheels on for {_whole(lead_ms)} ms"
        return f"{_clock(content)} {name}: {'shot' if accepted else 'burst'}, {wheels}"


def _table(rows: list[tuple[RenderableType, ...]], columns: int) -> Table:
    """Return the table of devices with the first ``columns`` of :data:`_HEADINGS`."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("device", overflow="ellipsis", min_width=_NAME_LEAST, vertical="bottom")
    for heading, justify in _HEADINGS[:columns]:
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # its own literals
    for row in rows:
        table.add_row(*row[: 1 + columns])
    return table


def _row(name: str, device: _Device, strip_width: int) -> tuple[RenderableType, ...]:
    telemetry = device.telemetry
    probability = telemetry.number("probability")
    strip = "".join(_bar(value) for value in device.strip)[-strip_width:].rjust(strip_width)
    latency = f"{_tenths(telemetry.number('latency_p50_ms'))} / {_tenths(telemetry.number('latency_p99_ms'))}"
    return (
        name,
        Text(device.link or "?"),  # not a str, in which rich would take what is in brackets for markup
        Text("● on", style="bold red") if device.wheels_on else Text("○ off", style="dim"),
        f"{strip} {'----' if probability is None else f'{probability:.2f}'}",
        f"{device.shots}{f' +{device.bursts}' if device.bursts else ''}",
        f"{device.in_time}",
        _whole(device.lead_ms),
        f"{device.false_spin_ups}",
        _whole(telemetry.number("rate_hz")),
        latency,
    )


def _bar(value: float | None) -> str:
    return "·" if value is None else BARS[min(len(BARS) - 1, max(0, round(value * (len(BARS) - 1))))]


def _clock(content: Content) -> str:
    """Return the time of day in the message of an event."""
    return content.text("time")[11:23]


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _tenths(value: float | None) -> str:
    return "-" if value is None else f"{value:.{1 if value < _WITHOUT_TENTHS else 0}f}"

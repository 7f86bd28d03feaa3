"""The chart of a scenario's timeline: a row for each device or, with only one device, for each kind of entry."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hil.record import ScenarioRecord, TimelineEntry
from hil.report.formatting import duration_s

KINDS: Final = ("fault", "recovery", "event")
_MAX_ROWS_PER_KIND: Final = 8
"""If the entries of a kind have more different texts than this, they share one row."""
_MAX_TICKS: Final = 6
_STEPS_S: Final = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    300,
    600,
    1200,
    1800,
    3600,
    7200,
    14_400,
    43_200,
    86_400,
)
_POSITIONS: Final = 1000
"""Events closer together than a thousandth of the scenario are drawn as one."""


@dataclass(frozen=True, slots=True)
class ChartSpan:
    """A span of time or, with ``width`` 0, a point in time; in percent of the width."""

    left: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class ChartRow:
    """A row of the chart; ``events`` is the ``d`` of an SVG path of strokes in a box of 1000 by 1."""

    label: str
    kind: str
    """The kind of its entries, empty if it has several kinds."""
    faults: tuple[ChartSpan, ...]
    recoveries: tuple[ChartSpan, ...]
    events: str
    event_count: int


@dataclass(frozen=True, slots=True)
class TimelineChart:
    """The chart; ``ticks`` are pairs of (position in percent, label)."""

    rows: tuple[ChartRow, ...]
    by_device: bool
    ticks: tuple[tuple[float, str], ...]


def timeline_chart(scenario: ScenarioRecord) -> TimelineChart | None:
    """Return the chart of a scenario's timeline; ``None`` if the timeline is empty."""
    entries = [entry for entry in scenario.timeline if math.isfinite(entry.at_s)]
    if not entries:
        return None
    ends = [entry.at_s if entry.until_s is None else entry.until_s for entry in entries]
    length_s = max(scenario.duration_s, *ends, 1e-3)
    by_device = len({entry.device for entry in entries if entry.device}) > 1
    rows = _groups(entries, _by_device if by_device else _by_text(entries))
    return TimelineChart(
        tuple(_row(label, kind, inside, length_s) for (label, kind), inside in rows.items()),
        by_device,
        _ticks(length_s),
    )


_Group = Callable[[TimelineEntry], tuple[str, str]]


def _by_device(entry: TimelineEntry) -> tuple[str, str]:
    return entry.device or "all", ""


def _by_text(entries: Sequence[TimelineEntry]) -> _Group:
    """Group entries by their text or, for a kind with too many different texts, by kind."""
    distinct = {kind: len({entry.what for entry in entries if entry.kind == kind}) for kind in KINDS}

    def group(entry: TimelineEntry) -> tuple[str, str]:
        plural = {"fault": "faults", "recovery": "recoveries"}.get(entry.kind, "events")
        return (plural if distinct.get(entry.kind, 0) > _MAX_ROWS_PER_KIND else entry.what), entry.kind

    return group


def _groups(entries: Sequence[TimelineEntry], group: _Group) -> dict[tuple[str, str], list[TimelineEntry]]:
    """Group entries into rows: faults, then recoveries, then events, each in order of time; devices by name."""
    found: dict[tuple[str, str], list[TimelineEntry]] = {}
    for entry in sorted(entries, key=lambda each: each.at_s):
        found.setdefault(group(entry), []).append(entry)

    def order(key: tuple[str, str]) -> tuple[int, tuple[int, str]]:
        label, kind = key
        return (KINDS.index(kind) if kind in KINDS else len(KINDS)), (len(label), label) if not kind else (0, "")

    return {key: found[key] for key in sorted(found, key=order)}


def _row(label: str, kind: str, entries: Sequence[TimelineEntry], length_s: float) -> ChartRow:
    events = [entry for entry in entries if entry.kind not in ("fault", "recovery")]
    positions = sorted({round(_POSITIONS * _share(entry.at_s, length_s)) for entry in events})
    return ChartRow(
        label=label,
        kind=kind,
        faults=_spans(entries, "fault", length_s),
        recoveries=_spans(entries, "recovery", length_s),
        events="".join(f"M{position} 0v1" for position in positions),
        event_count=len(events),
    )


def _spans(entries: Sequence[TimelineEntry], kind: str, length_s: float) -> tuple[ChartSpan, ...]:
    found = {}
    for entry in entries:
        if entry.kind == kind:
            left = round(100 * _share(entry.at_s, length_s), 1)
            lasted_s = 0.0 if entry.until_s is None else max(0.0, entry.until_s - entry.at_s)
            width = round(100 * _share(lasted_s, length_s), 1)
            suffix = f" for {duration_s(lasted_s)}" if lasted_s else ""
            found[left, width] = ChartSpan(left, width, f"{entry.what}, at {duration_s(entry.at_s)}{suffix}")
    return tuple(found.values())


def _share(seconds: float, length_s: float) -> float:
    return min(1.0, max(0.0, seconds / length_s))


def _ticks(length_s: float) -> tuple[tuple[float, str], ...]:
    step = next((step for step in _STEPS_S if length_s / step <= _MAX_TICKS), _STEPS_S[-1])
    step = max(step, length_s / _MAX_TICKS) if step == _STEPS_S[-1] else step
    return tuple(
        (round(100 * (number * step / length_s), 2), duration_s(number * step))
        for number in range(int(length_s / step) + 1)
    )

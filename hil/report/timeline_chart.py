"""When what happened in a scenario, drawn: a row for each device or, where there is but one, for each kind of thing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hil.record import ScenarioRecord, TimelineEntry
from hil.report.formatting import duration_s

KINDS: Final = ("fault", "recovery", "event")
_MOST_OF_A_KIND: Final = 8
"""Of more different things of a kind than these, all share one row."""
_TICKS_WANTED: Final = 6
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
_PLACES: Final = 1000
"""Moments nearer to each other than a thousandth of the scenario are drawn as one."""


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch in which something lasted, or (``width`` 0) a moment; in percent of the width."""

    left: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """``events`` is the ``d`` of an SVG path of strokes in a box of 1000 by 1."""

    label: str
    kind: str
    """Of all that is in it, or nothing if it is of several kinds."""
    faults: tuple[Block, ...]
    recoveries: tuple[Block, ...]
    events: str
    event_count: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """``ticks`` are places in percent and what stands there."""

    rows: tuple[Row, ...]
    by_device: bool
    ticks: tuple[tuple[float, str], ...]


def timeline(scenario: ScenarioRecord) -> Timeline | None:
    """The timeline of a scenario; ``None`` if nothing happened."""
    moments = [moment for moment in scenario.timeline if math.isfinite(moment.at_s)]
    if not moments:
        return None
    ends = [moment.at_s if moment.until_s is None else moment.until_s for moment in moments]
    length_s = max(scenario.duration_s, *ends, 1e-3)
    by_device = len({moment.device for moment in moments if moment.device}) > 1
    rows = _groups(moments, _device if by_device else _what(moments))
    return Timeline(
        tuple(_row(label, kind, inside, length_s) for (label, kind), inside in rows.items()),
        by_device,
        _ticks(length_s),
    )


_Group = Callable[[TimelineEntry], tuple[str, str]]


def _device(moment: TimelineEntry) -> tuple[str, str]:
    return moment.device or "all", ""


def _what(moments: Sequence[TimelineEntry]) -> _Group:
    """By what happened, or by its kind where too many different things did."""
    various = {kind: len({moment.what for moment in moments if moment.kind == kind}) for kind in KINDS}

    def group(moment: TimelineEntry) -> tuple[str, str]:
        plural = {"fault": "faults", "recovery": "recoveries"}.get(moment.kind, "events")
        return (plural if various.get(moment.kind, 0) > _MOST_OF_A_KIND else moment.what), moment.kind

    return group


def _groups(moments: Sequence[TimelineEntry], group: _Group) -> dict[tuple[str, str], list[TimelineEntry]]:
    """Faults first, then recoveries, then events, each in the order of time; devices by their names."""
    found: dict[tuple[str, str], list[TimelineEntry]] = {}
    for moment in sorted(moments, key=lambda each: each.at_s):
        found.setdefault(group(moment), []).append(moment)

    def order(key: tuple[str, str]) -> tuple[int, tuple[int, str]]:
        label, kind = key
        return (KINDS.index(kind) if kind in KINDS else len(KINDS)), (len(label), label) if not kind else (0, "")

    return {key: found[key] for key in sorted(found, key=order)}


def _row(label: str, kind: str, moments: Sequence[TimelineEntry], length_s: float) -> Row:
    events = [moment for moment in moments if moment.kind not in ("fault", "recovery")]
    places = sorted({round(_PLACES * _part(moment.at_s, length_s)) for moment in events})
    return Row(
        label=label,
        kind=kind,
        faults=_blocks(moments, "fault", length_s),
        recoveries=_blocks(moments, "recovery", length_s),
        events="".join(f"M{place} 0v1" for place in places),
        event_count=len(events),
    )


def _blocks(moments: Sequence[TimelineEntry], kind: str, length_s: float) -> tuple[Block, ...]:
    found = {}
    for moment in moments:
        if moment.kind == kind:
            left = round(100 * _part(moment.at_s, length_s), 1)
            lasted_s = 0.0 if moment.until_s is None else max(0.0, moment.until_s - moment.at_s)
            width = round(100 * _part(lasted_s, length_s), 1)
            how_long = f" for {duration_s(lasted_s)}" if lasted_s else ""
            found[left, width] = Block(left, width, f"{moment.what}, at {duration_s(moment.at_s)}{how_long}")
    return tuple(found.values())


def _part(seconds: float, length_s: float) -> float:
    return min(1.0, max(0.0, seconds / length_s))


def _ticks(length_s: float) -> tuple[tuple[float, str], ...]:
    step = next((step for step in _STEPS_S if length_s / step <= _TICKS_WANTED), _STEPS_S[-1])
    step = max(step, length_s / _TICKS_WANTED) if step == _STEPS_S[-1] else step
    return tuple(
        (round(100 * (place * step / length_s), 2), duration_s(place * step))
        for place in range(int(length_s / step) + 1)
    )

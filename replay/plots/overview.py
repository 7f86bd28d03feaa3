"""Draw whole recordings: all six axes, or the models' probabilities, over time, with every shot marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from models.sessions import Session
from models.windows import Indices
from replay.plots.forecast import Forecast
from replay.plots.lines import Values, breaks_in, thinned
from replay.plots.style import (
    AXIS_LINES,
    BLACK,
    GREY,
    MODEL_LINES,
    PURPLE,
    THRESHOLD_LINE,
    Picture,
    legend_above,
    short_name,
)
from stinger.files import StrPath
from stinger.sample import ACCEL_LSB_PER_G, CHANNELS, GYRO_LSB_PER_DPS
from stinger.wording import printable

_WIDTH_IN: Final = 11.0
_BOTTOM_IN: Final = 0.45
_TITLE_IN: Final = 0.35
_SHOTS_IN: Final = 0.34
_NAMES_IN: Final = 0.2
_LEGEND_IN: Final = 0.24
_SENSORS: Final = ((ACCEL_LSB_PER_G, "g"), (GYRO_LSB_PER_DPS, "°/s"))
_SPACE_BETWEEN: Final = 0.01
"""Space between sessions, as a fraction of the total time."""
_MAX_SHOT_LINES: Final = 300
"""More shots than this are marked in the strip only: lines through the panels would hide the data."""
_CHARACTER_IN: Final = 0.075
"""Width of a character in a session's name, except for the widest."""
_SHORTEST_NAME: Final = 4
"""A shorter part of a name is not shown."""


@dataclass(frozen=True, slots=True, eq=False)
class _PlacedSession:
    """A session on the picture's time axis, in seconds."""

    session: Session
    starts_s: float
    ends_s: float

    def seconds(self, index: Indices) -> Values:
        """Return the times of the samples ``index`` ``(n,)`` on that axis."""
        time_ms = self.session.recording.time_ms
        seconds: Values = self.starts_s + (time_ms[index] - time_ms[0]) / 1000
        return seconds


def draw_dataset(sessions: Sequence[Session], path: StrPath, *, title: str, dpi: float, max_points: int) -> None:
    """Write a PNG of the six axes of ``sessions`` over time, with about ``max_points`` points per line.

    Peaks are kept.
    """
    placed = _in_line(sessions)
    stack = _Stack(placed, len(CHANNELS), panel_in=0.85, space_in=0.13, dpi=dpi, title=title)
    for i, (panel, name) in enumerate(zip(stack.panels, CHANNELS, strict=True)):
        lsb, unit, (colour, _) = (*_SENSORS[i // 3], AXIS_LINES[i % 3])
        points = [_axis_points(place, i, lsb, max_points * _share(place, placed)) for place in placed]
        panel.plot(*_joined(points), color=colour, linewidth=0.7)
        panel.set_ylabel(f"{name} ({unit})")
    for sensor in (stack.panels[:3], stack.panels[3:]):
        limits = np.array([panel.get_ylim() for panel in sensor])
        for panel in sensor:
            panel.set_ylim(limits[:, 0].min(), limits[:, 1].max())
    stack.save(path)


def draw_overview(
    sessions: Sequence[Session],
    forecasts: Sequence[Forecast],
    names: Sequence[str],
    path: StrPath,
    *,
    title: str,
    thresholds: Sequence[float],
    dpi: float,
    max_points: int,
) -> None:
    """Write a PNG of the probabilities of models ``names`` over time, a panel each.

    A line has about ``max_points`` points. ``thresholds`` are those of the models, drawn as a dashed line in each
    panel.
    """
    placed = _in_line(sessions)
    panel_in = 2.6 if len(names) == 1 else 1.15
    stack = _Stack(placed, len(names), panel_in=panel_in, space_in=_LEGEND_IN, dpi=dpi, title=title)
    for i, (panel, name, threshold) in enumerate(zip(stack.panels, names, thresholds, strict=True)):
        points = [
            _probability_points(place, forecast, i, max_points * _share(place, placed))
            for place, forecast in zip(placed, forecasts, strict=True)
        ]
        line = panel.plot(
            *_joined(points), color=MODEL_LINES[i % len(MODEL_LINES)][0], linewidth=0.7, label=short_name(name)
        )
        limit = panel.axhline(threshold, label=f"threshold {threshold:g}", **THRESHOLD_LINE)
        legend_above(panel, [*line, limit])
        panel.set_ylim(-0.03, 1.03)
        panel.set_ylabel("probability")
    stack.save(path)


def _in_line(sessions: Sequence[Session]) -> list[_PlacedSession]:
    lengths = [float(s.recording.time_ms[-1] - s.recording.time_ms[0]) / 1000 for s in sessions]
    space = _SPACE_BETWEEN * sum(lengths)
    starts = np.concatenate(([0.0], np.cumsum([length + space for length in lengths])))
    return [
        _PlacedSession(session=session, starts_s=float(start), ends_s=float(start) + length)
        for session, start, length in zip(sessions, starts, lengths, strict=False)
    ]


def _share(place: _PlacedSession, placed: Sequence[_PlacedSession]) -> float:
    return len(place.session.recording) / sum(len(other.session.recording) for other in placed)


def _axis_points(place: _PlacedSession, axis: int, lsb: float, max_points: float) -> tuple[Values, Values]:
    recording = place.session.recording
    index = np.arange(len(recording))
    return thinned(place.seconds(index), recording.axes[:, axis] / lsb, recording.gaps(), int(max_points))


def _probability_points(
    place: _PlacedSession, forecast: Forecast, model: int, max_points: float
) -> tuple[Values, Values]:
    breaks = breaks_in(place.session.recording, forecast.index)
    return thinned(place.seconds(forecast.index), forecast.probability[:, model], breaks, int(max_points))


def _joined(parts: Sequence[tuple[Values, Values]]) -> tuple[Values, Values]:
    """Concatenate lines, with a break between them."""
    gap = np.array([np.nan])
    columns = [np.concatenate([piece for part in parts for piece in (part[i], gap)]) for i in range(2)]
    return columns[0], columns[1]


class _Stack:
    """Stacked panels with a common time axis, and a strip above them that marks every shot."""

    def __init__(
        self, placed: Sequence[_PlacedSession], count: int, *, panel_in: float, space_in: float, dpi: float, title: str
    ) -> None:
        names_in = _NAMES_IN if len(placed) > 1 else 0.05
        strip_in = _BOTTOM_IN + count * (panel_in + space_in)
        height = strip_in + _SHOTS_IN + names_in + _TITLE_IN
        self._picture = Picture(_WIDTH_IN, height, dpi)
        self._picture.title(title, above_in=_TITLE_IN)
        self._placed = placed
        self._strip = self._picture.panel(strip_in, _SHOTS_IN)
        self.panels = [
            self._picture.panel(_BOTTOM_IN + (count - 1 - i) * (panel_in + space_in), panel_in) for i in range(count)
        ]

    def save(self, path: StrPath) -> None:
        """Mark shots and sessions in every panel, and write the picture to ``path``."""
        placed, strip = self._placed, self._strip
        strip.grid(visible=False)
        strip.set_ylim(0, 2)
        strip.set_yticks([0.5, 1.5], ["rejected", "shot"])
        strip.tick_params(axis="y", length=0)
        for seconds, accepted in _shots(placed):
            low, colour = (1.1, BLACK) if accepted else (0.1, PURPLE)
            strip.vlines(seconds, low, low + 0.8, colors=colour, linewidth=0.9)
            for panel in self.panels if accepted and seconds.size <= _MAX_SHOT_LINES else ():
                across = panel.get_xaxis_transform()
                panel.vlines(seconds, 0, 1, colors=GREY, linewidth=0.5, alpha=0.4, transform=across, zorder=1)
        for panel in (strip, *self.panels):
            panel.set_xlim(placed[0].starts_s, max(placed[-1].ends_s, placed[0].starts_s + 1e-3))
            panel.tick_params(labelbottom=panel is self.panels[-1])
        if len(placed) > 1:
            _name_sessions(placed, (strip, *self.panels))
        self.panels[-1].set_xlabel(
            "time since the recording's start (s)" if len(placed) == 1 else "time, one session after another (s)"
        )
        self._picture.save(path)


def _shots(placed: Sequence[_PlacedSession]) -> Iterator[tuple[Values, bool]]:
    shots = [place.session.shots.without_dismissed() for place in placed]
    for accepted in (True, False):
        yield (
            np.concatenate(
                [place.seconds(own.index[own.accepted == accepted]) for place, own in zip(placed, shots, strict=True)]
            ),
            accepted,
        )


def _name_sessions(placed: Sequence[_PlacedSession], panels: Sequence[Axes]) -> None:
    """Hatch the space between sessions, and write the name of each above its start if there is room."""
    for before, after in pairwise(placed):
        for panel in panels:
            panel.axvspan(before.ends_s, after.starts_s, facecolor="#eeeeee", edgecolor=GREY, hatch="////", linewidth=0)
    inches_a_second = (_WIDTH_IN - 0.9) / (placed[-1].ends_s - placed[0].starts_s)
    for place in placed:
        room = int((place.ends_s - place.starts_s) * inches_a_second / _CHARACTER_IN)
        name = printable(place.session.name)
        shown = name if len(name) <= room else f"{name[: room - 1]}\N{HORIZONTAL ELLIPSIS}"
        if room >= _SHORTEST_NAME:
            panels[0].text(place.starts_s, 2.15, shown, fontsize=7.5, va="bottom", clip_on=False, parse_math=False)

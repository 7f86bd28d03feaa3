"""Draw excerpts: probabilities, if there are models, then acceleration and turn rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from replay.plots.excerpt import Excerpt
from replay.plots.style import (
    AXIS_LINES,
    GREY,
    MODEL_LINES,
    NO_SHOT_LINE,
    REJECTED_LINE,
    SHOT_LINE,
    THRESHOLD_LINE,
    WINDOW_SHADE,
    Picture,
    Pixels,
    legend_above,
    legend_columns,
    short_name,
)

_WIDTH_IN: Final = 8.0
_BOTTOM_IN: Final = 0.45
_MOTION_IN: Final = 1.45
_PROBABILITY_IN: Final = 1.9
_LEGEND_ROW_IN: Final = 0.2
_GAP_IN: Final = 0.12
_TITLE_IN: Final = 0.3
_LEGEND_WIDTH_IN: Final = 7.1
_SHORT_PEAK: Final = 0.02
"""A peak may be cut off if it takes less than this fraction of the values."""
_MAX_REMAINING_RANGE: Final = 0.5
"""Peaks are cut off only if this makes the rest at least twice as large."""


Moment = Literal["shot", "rejected edge", "end of the lead"]
_MOMENT_LINES: Final[Mapping[Moment, Mapping[str, Any]]] = {
    "shot": SHOT_LINE,
    "rejected edge": {**REJECTED_LINE, "linewidth": 1.8},
    "end of the lead": NO_SHOT_LINE,
}


@dataclass(frozen=True, slots=True)
class ExcerptLook:
    """What all pictures of a series have in common; times are in seconds relative to the moment.

    ``window_s`` is shaded and labelled ``window``, unless that is ``None``. Without models there is no upper panel.
    ``thresholds`` are those of the models, drawn as dashed lines: equal ones as one, and if they differ, in the colours
    of the models.
    """

    dpi: float
    from_s: float
    to_s: float
    window_s: tuple[float, float]
    moment: Moment
    window: str | None = "label window"
    models: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()


class ExcerptPicture:
    """Draws one excerpt after another with the same figure: only data, their range and the title change."""

    def __init__(self, look: ExcerptLook) -> None:
        above_motion = _BOTTOM_IN + 2 * _MOTION_IN + _GAP_IN + 2 * _LEGEND_ROW_IN
        height = above_motion + _TITLE_IN
        self._model_names = [short_name(name) for name in look.models]
        self._model_columns = legend_columns(self._model_names, _LEGEND_WIDTH_IN) if look.models else 1
        model_rows = -(-len(look.models) // self._model_columns)
        # The topmost panel has another legend row, for the marks that are in all panels.
        height += _LEGEND_ROW_IN
        if look.models:
            height += _GAP_IN + _PROBABILITY_IN + model_rows * _LEGEND_ROW_IN
        self._picture = Picture(_WIDTH_IN, height, look.dpi)
        self._title = self._picture.title("", above_in=_TITLE_IN)
        self._gyro = self._motion_panel(_BOTTOM_IN, "turn rate (°/s)")
        self._accel = self._motion_panel(_BOTTOM_IN + _MOTION_IN + _GAP_IN + _LEGEND_ROW_IN, "acceleration (g)")
        self._ranges = (_PanelRange(self._accel, "g"), _PanelRange(self._gyro, "°/s"))
        self._panels = [self._accel, self._gyro]
        self._models: list[Line2D] = []
        if look.models:
            self._panels.insert(0, self._probability_panel(above_motion + _GAP_IN, look))
        self._axis_lines = [*self._axis_plots(self._accel, "accel"), *self._axis_plots(self._gyro, "gyro")]
        self._moments: list[Line2D] = []
        self._other_shots: list[tuple[LineCollection, LineCollection]] = []
        self._legends: dict[tuple[bool, bool], Legend] = {}
        for panel in self._panels:
            self._mark(panel, look)
            panel.tick_params(labelbottom=panel is self._gyro)
            panel.set_xlim(look.from_s, look.to_s)
        self._gyro.set_xlabel(f"time from the {look.moment} (s)")
        # Frames, time axes, legends and shades are the same in all pictures; drawing them takes most of the time.
        self._picture.fix_background(
            [
                self._accel.yaxis,
                self._gyro.yaxis,
                *self._moments,
                *(lines for pair in self._other_shots for lines in pair),
                *self._axis_lines,
                *self._models,
                *(panel_range.note for panel_range in self._ranges),
                *self._legends.values(),
                self._title,
            ]
        )

    def draw(self, excerpt: Excerpt) -> Pixels:
        """Draw ``excerpt`` and return it as :meth:`replay.plots.style.Picture.pixels` does."""
        self._picture.set_title(self._title, excerpt.title)
        for line, values in zip(self._models, excerpt.probability.T, strict=True):
            line.set_data(excerpt.probability_time_s, values)
        for line, values in zip(self._axis_lines, excerpt.motion.T, strict=True):
            line.set_data(excerpt.time_s, values)
        self._ranges[0].fit(excerpt.time_s, excerpt.motion[:, :3])
        self._ranges[1].fit(excerpt.time_s, excerpt.motion[:, 3:])
        for accepted, rejected in self._other_shots:
            accepted.set_segments([np.array([(x, 0.0), (x, 1.0)]) for x in excerpt.accepted_s])
            rejected.set_segments([np.array([(x, 0.0), (x, 1.0)]) for x in excerpt.rejected_s])
        there = (bool(excerpt.accepted_s.size), bool(excerpt.rejected_s.size))
        for shown, legend in self._legends.items():
            legend.set_visible(shown == there)
        return self._picture.pixels()

    def _motion_panel(self, bottom_in: float, label: str) -> Axes:
        panel = self._picture.panel(bottom_in, _MOTION_IN)
        panel.set_ylabel(label)
        return panel

    def _probability_panel(self, bottom_in: float, look: ExcerptLook) -> Axes:
        panel = self._picture.panel(bottom_in, _PROBABILITY_IN)
        panel.set_ylabel("probability of a shot")
        panel.set_ylim(-0.03, 1.03)
        for i, name in enumerate(self._model_names):
            colour, style = MODEL_LINES[i % len(MODEL_LINES)]
            (line,) = panel.plot([], [], color=colour, linestyle=style, linewidth=1.4, label=name)
            self._models.append(line)
        differ = len(set(look.thresholds)) > 1
        for threshold in dict.fromkeys(look.thresholds):
            line = panel.axhline(threshold, label=f"threshold {threshold:g}", **THRESHOLD_LINE)
            if differ:
                line.set_color(MODEL_LINES[look.thresholds.index(threshold) % len(MODEL_LINES)][0])
        return panel

    def _axis_plots(self, panel: Axes, sensor: str) -> list[Line2D]:
        return [
            panel.plot([], [], color=colour, linestyle=style, label=f"{sensor} {axis}")[0]
            for (colour, style), axis in zip(AXIS_LINES, "xyz", strict=True)
        ]

    def _mark(self, panel: Axes, look: ExcerptLook) -> None:
        """Shade the label window, draw the moment and the other shots, and add the legends."""
        marks: list[Artist] = [line for line in panel.get_lines() if line not in (*self._models, *self._axis_lines)]
        if look.window is not None:
            marks.append(panel.axvspan(*look.window_s, label=look.window, **WINDOW_SHADE))
        self._moments.append(panel.axvline(0.0, label=look.moment, **_MOMENT_LINES[look.moment]))
        marks.append(self._moments[-1])
        across = panel.get_xaxis_transform()
        accepted = LineCollection([], transform=across, colors=SHOT_LINE["color"], linewidths=0.6)
        accepted.set_label("another shot" if look.moment == "shot" else "shot")
        rejected = LineCollection(
            [], transform=across, colors=REJECTED_LINE["color"], linewidths=1.1, linestyles=[REJECTED_LINE["linestyle"]]
        )
        rejected.set_label("another rejected edge" if look.moment == "rejected edge" else "rejected edge")
        panel.add_collection(accepted, autolim=False)
        panel.add_collection(rejected, autolim=False)
        self._other_shots.append((accepted, rejected))
        lines = [line for line in panel.get_lines() if line in (*self._models, *self._axis_lines)]
        on_top = panel is self._panels[0]
        above = on_top and bool(self._models)
        if above:
            legend_above(panel, lines, columns=self._model_columns, raised_in=_LEGEND_ROW_IN)
        else:
            legend_above(panel, lines)
        if on_top:
            # A legend for each combination of other shots, so that a picture names only what it contains.
            for there in ((False, False), (False, True), (True, False), (True, True)):
                named = [*marks, *compress((accepted, rejected), there)]
                self._legends[there] = legend_above(panel, named, raised_in=0.0 if above else _LEGEND_ROW_IN)


class _PanelRange:
    """Sets the range of a panel so that the motion before the moment is readable, and notes the peaks that it cuts off."""

    def __init__(self, panel: Axes, unit: str) -> None:
        self._panel = panel
        self._unit = unit
        self.note = panel.text(
            1.0, 1.02, "", transform=panel.transAxes, ha="right", va="bottom", fontsize=7.5, color=GREY
        )

    def fit(self, time_s: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> None:
        """Set the range to include all ``values`` ``(n, 3)`` at times up to 0, and later ones except short peaks."""
        self.note.set_text("")
        known = ~np.isnan(time_s)
        if not known.any():
            self._panel.set_ylim(-1, 1)
            return
        values = values[known]
        lowest, highest = float(values.min()), float(values.max())
        usual = np.quantile(values, (_SHORT_PEAK, 1 - _SHORT_PEAK))
        before = values[time_s[known] <= 0]
        low = min(float(usual[0]), float(before.min(initial=np.inf)))
        high = max(float(usual[1]), float(before.max(initial=-np.inf)))
        if high - low > _MAX_REMAINING_RANGE * (highest - lowest):
            low, high = lowest, highest
        margin = 0.08 * (high - low) or 1.0
        self._panel.set_ylim(low - margin, high + margin)
        beyond = [f"{peak:.3g}" for peak in (lowest, highest) if not low - margin <= peak <= high + margin]
        if beyond:
            self.note.set_text(
                f"peaks beyond the axis: {' and '.join(beyond)} {self._unit}".replace("-", "\N{MINUS SIGN}")
            )

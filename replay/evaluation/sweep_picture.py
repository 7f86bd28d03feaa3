"""Draw a sweep: shots in time against false spin-ups, and shots in time and duty against the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes

from replay.evaluation.evaluate import Evaluation
from replay.plots.style import (
    BLACK,
    BLUE,
    DASH_DOT,
    DASHED,
    GREY,
    ORANGE,
    THRESHOLD_LINE,
    VERMILLION,
    Picture,
    legend_above,
)
from stinger.files import StrPath

_WIDTH_IN: Final = 7.0
_HEIGHT_IN: Final = 7.15
_LABELLED: Final = (0.1, 0.3, 0.5, 0.7, 0.9)
_TOLERANCE: Final = 1e-9


def draw_sweep(rows: Sequence[Evaluation], operating: Evaluation, path: StrPath, *, title: str, dpi: float) -> None:
    """Write a PNG of ``rows``, a sweep in order of threshold, with the point of ``operating`` marked."""
    picture = Picture(_WIDTH_IN, _HEIGHT_IN, dpi)
    picture.title(title, above_in=0.4)
    _draw_trade_off(picture.panel(3.4, 3.1), rows, operating)
    _draw_thresholds(picture.panel(0.5, 2.1), rows, operating)
    picture.save(path)


def _draw_trade_off(panel: Axes, rows: Sequence[Evaluation], operating: Evaluation) -> None:
    rates = [row.false.value for row in rows]
    (accepted,) = panel.plot(
        rates, [100 * row.accepted.value for row in rows], "-o", color=BLUE, markersize=3, label="accepted shots"
    )
    (every,) = panel.plot(
        rates,
        [100 * row.all_shots.value for row in rows],
        linestyle=DASHED,
        color=VERMILLION,
        label="all trigger edges",
    )
    for place, names in _labels(rows).items():
        label = ", ".join(names)
        panel.annotate(label, place, textcoords="offset points", xytext=(5, -10), color=GREY, fontsize=7)
    point = operating.accepted
    panel.vlines(operating.false.value, 100 * point.low, 100 * point.high, color=BLACK, linewidth=0.8)
    right = max(1.0, 1.2 * max(*rates, operating.false.value))
    panel.hlines(100 * point.value, operating.false.low, min(operating.false.high, right), color=BLACK, linewidth=0.8)
    (mark,) = panel.plot(
        operating.false.value,
        100 * point.value,
        "D",
        color=BLACK,
        markerfacecolor=ORANGE,
        markersize=8,
        linestyle="none",
        label=f"operating point, threshold {operating.parameters.on:.2f}, with 95 % intervals",
    )
    panel.set_xlim(-0.03 * right, right)
    panel.set_ylim(-3, 105)
    panel.set_xlabel("false spin-ups a minute   (grey: thresholds)")
    panel.set_ylabel("shots in time (%)")
    legend_above(panel, [accepted, every, mark])


def _labels(rows: Sequence[Evaluation]) -> dict[tuple[float, float], list[str]]:
    """Return the labels of some thresholds by the position of their points; equal positions share a label."""
    labels: dict[tuple[float, float], list[str]] = {}
    for row in rows:
        if any(abs(row.parameters.on - on) < _TOLERANCE for on in _LABELLED):
            place = (row.false.value, 100 * row.accepted.value)
            labels.setdefault(place, []).append(f"{row.parameters.on:.1f}")
    return labels


def _draw_thresholds(panel: Axes, rows: Sequence[Evaluation], operating: Evaluation) -> None:
    at = [row.parameters.on for row in rows]
    lines = [
        panel.plot(at, [100 * row.accepted.value for row in rows], color=BLUE, label="accepted shots in time")[0],
        panel.plot(at, [100 * row.by_chance for row in rows], color=VERMILLION, linestyle=DASHED, label="by chance")[0],
        panel.plot(at, [100 * row.duty for row in rows], color=GREY, linestyle=DASH_DOT, label="wheels on (duty)")[0],
    ]
    panel.axvline(operating.parameters.on, **THRESHOLD_LINE)
    panel.set_xlim(0, 1)
    panel.set_ylim(-3, 105)
    panel.set_xlabel("threshold")
    panel.set_ylabel("fraction (%)")
    legend_above(panel, lines)

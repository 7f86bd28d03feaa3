"""Draw the differences of challengers from the champion, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from replay.evaluation.verdict import Ruling
from replay.plots.style import BLACK, GREY, MODEL_LINES, THRESHOLD_LINE


def draw_differences(panel: Axes, rulings: Sequence[Ruling], names: Sequence[str]) -> None:
    """Draw the cost of each challenger minus the champion's, in the order and with the colours of ``names``.

    Those that may become champion are shown within the limits, the others at their thresholds of least cost.
    """
    by_name = {ruling.challenger: ruling for ruling in rulings}
    shown = [(name, by_name[name]) for name in names if name in by_name]
    rows = []
    for place, (name, ruling) in enumerate(shown):
        comparison = ruling.comparison if ruling.reasons else ruling.within
        if comparison is None or math.isnan(comparison.cost.value):
            continue
        cost, colour = comparison.cost, MODEL_LINES[place % len(MODEL_LINES)][0]
        if math.isfinite(cost.low):
            panel.hlines(place, cost.low, cost.high, color=GREY, linewidth=1.2)
        panel.plot(cost.value, place, "D", color=BLACK, markerfacecolor=colour, markersize=6)
        probability = "" if math.isnan(comparison.probability) else f", better: {100 * comparison.probability:.0f} %"
        rows.append((place, f"{name}{probability}"))
    panel.axvline(0, **THRESHOLD_LINE)
    panel.set_yticks([place for place, _ in rows], [label for _, label in rows], fontsize=7)
    panel.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    panel.set_xlabel("cost a minute, minus the champion's (left of 0: better), with interval")

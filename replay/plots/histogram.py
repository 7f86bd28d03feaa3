"""Draw histograms of the models' probabilities for positive and negative windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.artist import Artist

from models.dataset import Dataset
from replay.plots.forecast import Probabilities
from replay.plots.style import BLUE, ORANGE, THRESHOLD_LINE, Picture, legend_above, short_name
from stinger.files import StrPath

_BINS: Final = 25
_WIDTH_IN: Final = 8.0
_BOTTOM_IN: Final = 0.45
_PANEL_IN: Final = 1.5
_LEGEND_IN: Final = 0.3
_TITLE_IN: Final = 0.35


def draw_histogram(
    dataset: Dataset,
    probability: Probabilities,
    names: Sequence[str],
    path: StrPath,
    *,
    title: str,
    threshold: float,
    dpi: float,
) -> None:
    """Write a PNG with the share of positive and of negative windows in each range of probability.

    Each model has a panel. ``probability`` ``(n, models)`` are the outputs for the windows of ``dataset``.
    """
    height = _BOTTOM_IN + len(names) * (_PANEL_IN + _LEGEND_IN) + _TITLE_IN
    picture = Picture(_WIDTH_IN, height, dpi)
    picture.title(title, above_in=_TITLE_IN)
    edges = np.linspace(0, 1, _BINS + 1)
    positive = dataset.labels == 1
    for i, name in enumerate(names):
        panel = picture.panel(_BOTTOM_IN + (len(names) - 1 - i) * (_PANEL_IN + _LEGEND_IN), _PANEL_IN)
        panel.set_ylabel("share of windows (%)")
        handles: list[Artist] = []
        for rows, kind, filled in ((~positive, "negative", True), (positive, "positive", False)):
            share = 100 * np.histogram(probability[rows, i], bins=edges)[0] / max(1, int(rows.sum()))
            label = f"{int(rows.sum()):,} {kind}"
            look: dict[str, Any] = (
                {"facecolor": ORANGE, "alpha": 0.55} if filled else {"edgecolor": BLUE, "linewidth": 1.6}
            )
            handles.append(panel.stairs(share, edges, fill=filled, label=label, **look))
        handles.append(panel.axvline(threshold, label=f"threshold {threshold:g}", **THRESHOLD_LINE))
        panel.set_xlim(-0.01, 1.01)
        panel.set_ylim(bottom=0)
        panel.tick_params(labelbottom=i == len(names) - 1)
        if i == len(names) - 1:
            panel.set_xlabel("probability of a shot")
        legend_above(panel, handles)
        panel.text(1.0, 1.04, short_name(name), transform=panel.transAxes, ha="right", va="bottom", fontsize=8.5)
    picture.save(path)

"""Draw how the loss fell while models were trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from matplotlib.ticker import MaxNLocator

from replay.plots.style import MODEL_LINES, Picture, legend_above, short_name
from stinger.files import StrPath

_WIDTH_IN: Final = 7.0
_PANEL_IN: Final = 2.6
_BOTTOM_IN: Final = 0.5
_LEGEND_IN: Final = 0.3
_TITLE_IN: Final = 0.35


def draw_losses(losses: Mapping[str, Sequence[float]], path: StrPath, *, dpi: float) -> None:
    """Write a PNG with the loss after each pass over the training rows, a line for each model."""
    picture = Picture(_WIDTH_IN, _BOTTOM_IN + _PANEL_IN + _LEGEND_IN + _TITLE_IN, dpi)
    picture.title("Loss while training on the whole recording", above_in=_TITLE_IN)
    panel = picture.panel(_BOTTOM_IN, _PANEL_IN)
    lines = []
    for (name, values), (colour, style) in zip(losses.items(), MODEL_LINES, strict=False):
        passes = range(1, len(values) + 1)
        lines += panel.plot(
            passes, values, marker="o", markersize=3, color=colour, linestyle=style, label=short_name(name)
        )
    panel.set_xlabel("passes over the training rows")
    panel.set_ylabel("loss (log loss and penalty)")
    panel.set_ylim(bottom=0)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_above(panel, lines)
    picture.save(path)

"""Open matplotlib's font files before tests that draw."""

from __future__ import annotations

import numpy as np

from replay.plots.excerpt import Excerpt
from replay.plots.excerpt_picture import ExcerptLook, ExcerptPicture


def open_fonts() -> None:
    """Draw an empty picture: matplotlib keeps font files open from their first use on, which is not a leak of the test."""
    none = np.empty(0)
    nothing = Excerpt("", none, np.empty((0, 6)), none, np.empty((0, 0)), none, none)
    ExcerptPicture(ExcerptLook(dpi=40, from_s=0, to_s=1, window_s=(0, 1), moment="shot")).draw(nothing)

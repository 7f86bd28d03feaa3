"""What tests that draw need."""

from __future__ import annotations

import numpy as np

from replay.plots.excerpt import Excerpt
from replay.plots.excerpt_picture import ExcerptLook, ExcerptPicture


def open_fonts() -> None:
    """Draw something: matplotlib keeps a font's file open from its first use on, which is no leak of a test."""
    none = np.empty(0)
    nothing = Excerpt("", none, np.empty((0, 6)), none, np.empty((0, 0)), none, none)
    ExcerptPicture(ExcerptLook(dpi=40, from_s=0, to_s=1, window_s=(0, 1), moment="shot")).draw(nothing)

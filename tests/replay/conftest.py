"""What tests that draw share."""

from __future__ import annotations

import numpy as np
import pytest

from replay.excerpt import Excerpt
from replay.excerpt_picture import ExcerptLook, ExcerptPicture


@pytest.fixture(scope="session", autouse=True)
def _fonts_are_open() -> None:
    """matplotlib keeps a font's file open from its first use on: no leak of the test that draws first."""
    none = np.empty(0)
    nothing = Excerpt("", none, np.empty((0, 6)), none, np.empty((0, 0)), none, none)
    ExcerptPicture(ExcerptLook(dpi=40, from_s=0, to_s=1, window_s=(0, 1), moment="shot")).draw(nothing)

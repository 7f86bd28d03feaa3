"""Drawings as SVG whose colours follow the page: light or dark, as the browser shows the page around them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour: ``light`` on a light page, ``dark`` on a dark one.

    Both are ``#rrggbb`` in lower case.
    """

    name: str
    light: str
    dark: str


INK: Final = Colour("ink", "#20242a", "#e4e6ea")
FAINT: Final = Colour("faint", "#6b7280", "#a3a9b4")
LINE: Final = Colour("line", "#d3d7dd", "#4a4f58")
PAPER: Final = Colour("paper", "#fdfdfe", "#22252c")
PANEL: Final = Colour("panel", "#eef1f5", "#30343d")
BLUE: Final = Colour("blue", "#0072b2", "#56b4e9")
RED: Final = Colour("red", "#d55e01", "#ff8d4d")
GREEN: Final = Colour("green", "#00805d", "#35c79a")
YELLOW: Final = Colour("yellow", "#f3d34a", "#8a7417")
COLOURS: Final = (INK, FAINT, LINE, PAPER, PANEL, BLUE, RED, GREEN, YELLOW)

_RC: Final[dict[Any, Any]] = {
    "font.size": 9.0,
    "font.family": "sans-serif",
    "text.color": INK.light,
    "axes.labelcolor": INK.light,
    "axes.edgecolor": FAINT.light,
    "axes.facecolor": PAPER.light,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": FAINT.light,
    "ytick.color": FAINT.light,
    "figure.facecolor": PAPER.light,
    "svg.fonttype": "none",  # text stays text: small, and readable by a screen reader
    "svg.hashsalt": "stinger",  # the same drawing gives the same bytes
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of these drawings."""
    with rc_context(_RC):
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure; draw and save it within :func:`style`."""
    return Figure(figsize=(width_in, height_in), layout="constrained")


def plain_axes(axes: Axes) -> None:
    """Remove the frame and the marks of ``axes``, for a diagram."""
    axes.set_axis_off()


def svg_text(figure: Figure, description: str) -> str:
    """Return ``figure`` as the text of an SVG file, with ``description`` for people who cannot see it."""
    packed = io.StringIO()
    figure.savefig(packed, format="svg", metadata={"Date": None, "Creator": None, "Title": description})
    drawn = packed.getvalue()
    for colour in COLOURS:
        drawn = re.sub(re.escape(colour.light), f"var(--{colour.name})", drawn, flags=re.IGNORECASE)
    # Matplotlib ends lines with spaces, which the project's hooks refuse.
    return re.sub(r"[ \t]+$", "", drawn.replace("<defs>", f"{_colour_rules()}\n <defs>", 1), flags=re.MULTILINE)


def _colour_rules() -> str:
    light = " ".join(f"--{colour.name}: {colour.light};" for colour in COLOURS)
    dark = " ".join(f"--{colour.name}: {colour.dark};" for colour in COLOURS)
    return f"<style>svg {{ {light} }} @media (prefers-color-scheme: dark) {{ svg {{ {dark} }} }}</style>"

"""The look of every picture: sizes, colours, lines, units; and saving as PNG.

Colours are those of Okabe and Ito, which colour-blind people can distinguish; lines in one panel also differ in style,
so that pictures are readable in greyscale.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from PIL import Image

from stinger.files import StrPath, write_bytes
from stinger.wording import printable

BLACK: Final = "#000000"
GREY: Final = "#6e6e6e"
ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
YELLOW: Final = "#F0E442"
BLUE: Final = "#0072B2"
VERMILLION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"

_TITLE_CHARACTER_IN: Final = 0.09
"""Width of a character in a title, except for the widest."""

_LEGEND_CHARACTER_IN: Final = 0.072
_LEGEND_ENTRY_IN: Final = 0.5
"""Width of a legend entry without its text."""
_LONGEST_NAME: Final = 32

Pixels = npt.NDArray[np.uint8]
LineStyle = str | tuple[int, tuple[float, ...]]

DASHED: Final = (0, (4.0, 1.5))
DOTTED: Final = (0, (1.0, 1.2))
DASH_DOT: Final = (0, (5.0, 1.5, 1.0, 1.5))

AXIS_LINES: Final[tuple[tuple[str, LineStyle], ...]] = ((BLUE, "-"), (VERMILLION, DASHED), (GREEN, DASH_DOT))
"""x, y and z of either sensor."""
MODEL_LINES: Final[tuple[tuple[str, LineStyle], ...]] = (
    (BLUE, "-"),
    (VERMILLION, DASHED),
    (GREEN, DASH_DOT),
    (ORANGE, "-"),
    (SKY, DASHED),
    (BLACK, DASH_DOT),
    (BLUE, DOTTED),
    (VERMILLION, "-"),
    (GREEN, DASHED),
    (BLUE, DASH_DOT),
    (ORANGE, DOTTED),
    (SKY, "-"),
)
"""Lines of models in order; the 13th model gets the first one again. All differ from the marks across panels."""

SHOT_LINE: Final[dict[str, Any]] = {"color": BLACK, "linewidth": 1.1}
REJECTED_LINE: Final[dict[str, Any]] = {"color": PURPLE, "linewidth": 1.1, "linestyle": DOTTED}
NO_SHOT_LINE: Final[dict[str, Any]] = {"color": GREY, "linewidth": 1.4, "linestyle": DASH_DOT}
THRESHOLD_LINE: Final[dict[str, Any]] = {"color": GREY, "linewidth": 1.0, "linestyle": (0, (6.0, 2.0))}
WINDOW_SHADE: Final[dict[str, Any]] = {"color": YELLOW, "alpha": 0.35, "linewidth": 0}

_RC: Final[dict[Any, Any]] = {
    "font.size": 8.0,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "legend.handlelength": 2.6,
    "lines.linewidth": 1.1,
    "text.parse_math": False,  # the name of a file may contain dollar signs
}


class Picture:
    """A figure of fixed layout, ``width_in`` by ``height_in`` inches at ``dpi``, drawn without a display."""

    def __init__(self, width_in: float, height_in: float, dpi: float) -> None:
        self._size_in = (width_in, height_in)
        with rc_context(_RC):
            self.figure = Figure(figsize=self._size_in, dpi=dpi, facecolor="white")
            self._canvas = FigureCanvasAgg(self.figure)
        self._still: Any = None
        self._moving: tuple[Artist, ...] = ()

    def panel(self, bottom_in: float, height_in: float, *, left_in: float = 0.7, right_in: float = 0.2) -> Axes:
        """Add a panel ``height_in`` high, ``bottom_in`` above the lower edge of the picture; its text is outside of it."""
        width, height = self._size_in
        with rc_context(_RC):
            return self.figure.add_axes(
                (left_in / width, bottom_in / height, (width - left_in - right_in) / width, height_in / height)
            )

    def title(self, text: str, *, above_in: float) -> Text:
        """Add a line of text in the middle of the picture's upper ``above_in`` inches; :meth:`set_title` changes it."""
        width, height = self._size_in
        with rc_context(_RC):
            title = self.figure.text(0.7 / width, 1 - 0.5 * above_in / height, "", va="center", fontsize=9.5)
        self.set_title(title, text)
        return title

    def set_title(self, title: Text, text: str) -> None:
        """Set the text of ``title``, shortened if it would not fit."""
        room = int((self._size_in[0] - 0.9) / _TITLE_CHARACTER_IN)
        text = printable(text)
        title.set_text(_literal(text if len(text) <= room else f"{text[: room - 1]}\N{HORIZONTAL ELLIPSIS}"))

    def save(self, path: StrPath) -> None:
        """Draw, and write ``path`` as a PNG, atomically. Raises :class:`~stinger.errors.FileError`."""
        write_bytes(path, png_bytes(self.pixels(), self.figure.dpi))

    def fix_background(self, moving: Sequence[Artist]) -> None:
        """Draw everything except ``moving`` once; from now on only ``moving`` is drawn, in this order, on top of it."""
        for artist in moving:
            artist.set_animated(True)
        with _drawing():
            self._canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib's stubs leave it out
        self._still = self._canvas.copy_from_bbox(self.figure.bbox)  # type: ignore[no-untyped-call]  # as above
        self._moving = tuple(moving)

    def pixels(self) -> Pixels:
        """Draw the picture and return it: ``(height, width, 4)``, red, green, blue and an opaque alpha channel."""
        with _drawing():
            if self._still is None:
                self._canvas.draw()  # type: ignore[no-untyped-call]  # as above
            else:
                self._canvas.restore_region(self._still)  # type: ignore[no-untyped-call]  # as above
                for artist in self._moving:
                    self.figure.draw_artist(artist)
        return np.asarray(self._canvas.buffer_rgba()).copy()  # type: ignore[no-untyped-call]  # as above


@contextmanager
def _drawing() -> Iterator[None]:
    """Draw in our style, without a warning for each character that the font lacks (it is drawn as a box)."""
    with rc_context(_RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def png_bytes(pixels: Pixels, dpi: float) -> bytes:
    """Return ``pixels`` ``(height, width, 4)`` as a PNG without transparency."""
    packed = io.BytesIO()
    # A low level of compression: higher ones take longer than drawing, for slightly smaller files.
    Image.fromarray(pixels).convert("RGB").save(packed, format="PNG", compress_level=1, dpi=(dpi, dpi))
    return packed.getvalue()


def short_name(name: str) -> str:
    """Return ``name`` shortened for a legend.

    The start and the end of a long name are kept, which distinguish it from others.
    """
    name = printable(name)
    half = _LONGEST_NAME // 2
    return _literal(name if len(name) <= _LONGEST_NAME else f"{name[: half - 1]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}")


def _literal(text: str) -> str:
    """Return ``text`` without a formula in it: Matplotlib would draw what is between two dollar signs as one, or fail."""
    return text.replace("$", r"\$")


def legend_columns(labels: Sequence[str], width_in: float) -> int:
    """Return how many of ``labels`` fit side by side in a legend ``width_in`` wide."""
    widest = max(len(label) for label in labels) * _LEGEND_CHARACTER_IN + _LEGEND_ENTRY_IN
    return max(1, min(len(labels), int(width_in / widest)))


def legend_above(axes: Axes, handles: Sequence[Artist], *, columns: int = 8, raised_in: float = 0.0) -> Legend:
    """Add a legend above ``axes``, outside the data.

    It has rows of at most ``columns``, ``raised_in`` inches higher than usual.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    height_in = axes.get_position().height * figure.get_size_inches()[1]
    with rc_context(_RC):
        legend = Legend(
            axes,
            handles,
            [str(handle.get_label()) for handle in handles],
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0 + raised_in / height_in),
            ncols=min(columns, len(handles)),
            borderaxespad=0.2,
            columnspacing=1.4,
            handletextpad=0.5,
        )
    axes.add_artist(legend)
    return legend

"""Drawings of the architecture.

The processes and what flows between them, and the packages and who imports whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from scripts.drawings.svg import BLUE, FAINT, GREEN, INK, LINE, PANEL, PAPER, Colour, new_figure
from scripts.drawings.timeline import WIDTH_IN

_ROUNDING: Final = 0.08


@dataclass(frozen=True, slots=True)
class _Box:
    """A box from its left lower corner, in tenths of an inch, with a title and a line or two below it."""

    left: float
    bottom: float
    width: float
    height: float
    title: str
    text: str = ""
    edge: Colour = LINE
    fill: Colour = PANEL

    @property
    def middle(self) -> float:
        """The middle from left to right."""
        return self.left + self.width / 2

    @property
    def top(self) -> float:
        """The upper edge."""
        return self.bottom + self.height


def draw_processes() -> Figure:
    """Draw the processes, from the blasters at the top to the programs that use what the daemon publishes."""
    figure, axes = _diagram(54, 66)
    blasters = [
        _Box(0, 59, 10, 6, "USB", "serial:"),
        _Box(11, 59, 10, 6, "network", "tcp:"),
        _Box(22, 59, 10, 6, "MQTT", "mqtt:"),
        _Box(33, 59, 10, 6, "fleet", "nats:"),
        _Box(44, 59, 10, 6, "recording", "replay:"),
    ]
    daemon = _Box(0, 27, 54, 27, "", edge=BLUE, fill=PAPER)
    sources = _Box(2, 43.5, 50, 5.5, "sources", "bytes become blocks of samples, 100 a second")
    scoring = _Box(2, 36, 50, 5.5, "pipeline", "window → probability → decision → events")
    recorder = _Box(2, 28.5, 15.3, 5.5, "recorder", "every sample")
    publisher = _Box(19.3, 28.5, 15.3, 5.5, "publisher", "events, states")
    metrics = _Box(36.7, 28.5, 15.3, 5.5, "metrics", "figures, health")
    folder = _Box(0, 14, 17.3, 8, "data folder", "recordings,\nmodels (registry)", edge=GREEN)
    broker = _Box(19.3, 14, 15.3, 8, "MQTT broker", "embedded, or\na server", edge=GREEN)
    prometheus = _Box(36.7, 14, 17.3, 8, "Prometheus", "alerts, Grafana", edge=GREEN)
    retrain = _Box(0, 1, 17.3, 8, "stinger retrain", "new model, if it is\nbetter", edge=BLUE)
    page = _Box(19.3, 1, 15.3, 8, "stinger web", "the page", edge=BLUE)
    others = _Box(36.7, 1, 17.3, 8, "Home Assistant,", "watch, your program")
    for box in (
        *blasters,
        daemon,
        sources,
        scoring,
        recorder,
        publisher,
        metrics,
        folder,
        broker,
        prometheus,
        retrain,
        page,
        others,
    ):
        _draw_box(axes, box)
    axes.text(2, 51.4, "the daemon: stinger run", va="center", color=BLUE.light, fontweight="bold")
    for box in blasters:
        _draw_arrow(axes, (box.middle, box.bottom), (box.middle, daemon.top))
    _draw_arrow(axes, (27, sources.bottom), (27, scoring.top))
    _draw_arrow(axes, (recorder.middle, sources.bottom), (recorder.middle, recorder.top))
    _draw_arrow(axes, (publisher.middle, scoring.bottom), (publisher.middle, publisher.top))
    _draw_arrow(axes, (metrics.middle, scoring.bottom), (metrics.middle, metrics.top))
    _draw_arrow(axes, (recorder.middle, recorder.bottom), (recorder.middle, folder.top))
    _draw_arrow(axes, (publisher.middle, publisher.bottom), (publisher.middle, broker.top))
    _draw_arrow(axes, (prometheus.middle, prometheus.top), (prometheus.middle, metrics.bottom))
    _draw_arrow(axes, (5, folder.bottom), (5, retrain.top))
    _draw_arrow(axes, (12, retrain.top), (12, folder.bottom))
    _draw_arrow(axes, (24, broker.bottom), (24, page.top))
    _draw_arrow(axes, (15.5, folder.bottom), (20.5, page.top))
    _draw_arrow(axes, (31, broker.bottom), (38.5, others.top))
    return figure


def draw_packages() -> Figure:
    """Draw the packages in layers: an import may only point down."""
    figure, axes = _diagram(54, 37)
    boxes = (
        _Box(0, 28, 34, 8, "service", "daemon, retraining, page, round trip", edge=BLUE),
        _Box(36, 28, 18, 8, "hil", "the bench", edge=BLUE),
        _Box(0, 19, 54, 7, "replay", "a recording as a stream; evaluation; plots"),
        _Box(0, 10, 54, 7, "models", "features, training, model file, scoring, decision"),
        _Box(0, 1, 54, 7, "stinger", "sample, recording, wire protocol: no sockets, no asyncio", edge=GREEN),
    )
    for box in boxes:
        _draw_box(axes, box)
    for above, below, at in ((28, 26, 17), (28, 26, 45), (19, 17, 27), (10, 8, 27)):
        _draw_arrow(axes, (at, above), (at, below))
    return figure


def _diagram(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure and axes in which a unit is a tenth of an inch."""
    figure = new_figure(WIDTH_IN, height / 10 * WIDTH_IN / (width / 10))
    axes = figure.add_subplot()
    axes.set_xlim(-0.5, width + 0.5)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    return figure, axes


def _draw_box(axes: Axes, box: _Box) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (box.left, box.bottom),
            box.width,
            box.height,
            boxstyle=f"round,pad=0,rounding_size={10 * _ROUNDING}",
            facecolor=box.fill.light,
            edgecolor=box.edge.light,
            linewidth=1.2,
        )
    )
    lines = [box.title, *(box.text.split("\n") if box.text else ())]
    for number, line in enumerate(lines):
        below = 1.55 * (number - (len(lines) - 1) / 2)
        axes.text(
            box.middle,
            box.bottom + box.height / 2 - below,
            line,
            ha="center",
            va="center",
            fontsize=9 if number == 0 else 8,
            fontweight="bold" if number == 0 else "normal",
            color=(FAINT if number else INK).light,
        )


def _draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "",
        end,
        start,
        arrowprops={"arrowstyle": "-|>", "color": FAINT.light, "shrinkA": 0, "shrinkB": 0, "linewidth": 1.2},
    )

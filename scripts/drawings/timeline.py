"""Drawings of one moment: the window, the labels around a shot, and how the decision follows the model's output."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.levels import follow
from models.stream_rows import SampleLabel, StreamOptions, label_samples
from replay.evaluation.events import SpinUpKind
from scripts.drawings.example import PARAMETERS, Example
from scripts.drawings.svg import BLUE, FAINT, GREEN, INK, LINE, PANEL, RED, YELLOW, new_figure
from stinger.mlmd import WINDOW_SAMPLES
from stinger.shots import MIN_LEAD_MS

WIDTH_IN: Final = 5.4
_LABEL_COLOURS: Final = {
    SampleLabel.POSITIVE: (GREEN, "positive"),
    SampleLabel.LEFT_OUT: (LINE, "left out"),
    SampleLabel.NEGATIVE: (BLUE, "negative"),
}


def draw_window(example: Example) -> Figure:
    """Draw the window that ends 100 ms before a shot."""
    shot_ms = _shot_in_time(example)
    figure = new_figure(WIDTH_IN, 2.4)
    axes = figure.add_subplot()
    top = _draw_turning(axes, example, shot_ms, before_ms=1600, after_ms=700)
    axes.axvspan(-600, -100, color=YELLOW.light, alpha=0.5, linewidth=0)
    _draw_span(axes, -600, -100, 1.15 * top)
    axes.text(-350, 1.19 * top, "window: 500 ms", ha="center", va="bottom", color=INK.light)
    _draw_span(axes, -100, 0, 1.15 * top)
    axes.text(30, 1.15 * top, "100 ms", va="center", color=INK.light)
    _draw_shot(axes, 0, 0.95 * top)
    axes.set_ylim(0, 1.4 * top)
    return figure


def draw_labels(example: Example) -> Figure:
    """Draw which samples around an accepted shot and a rejected edge are positive, negative and left out."""
    shot_ms, edge_ms = _shot_with_burst(example)
    part = example.between(shot_ms - 1000, edge_ms + 900)
    labels = label_samples(example.session, WINDOW_SAMPLES, StreamOptions())[part]
    times = (example.trace.time_ms[part] - shot_ms).astype(np.float64)
    figure = new_figure(WIDTH_IN, 2.7)
    axes = figure.add_subplot()
    top = _draw_turning(axes, example, shot_ms, before_ms=1000, after_ms=edge_ms - shot_ms + 900)
    for label, (colour, name) in _LABEL_COLOURS.items():
        axes.fill_between(
            times,
            -0.32 * top,
            -0.06 * top,
            where=labels == label,
            step="post",
            color=colour.light,
            linewidth=0,
            label=name,
        )
    _draw_shot(axes, 0, 0.95 * top, "accepted shot")
    _draw_shot(axes, edge_ms - shot_ms, 0.75 * top, "rejected edge")
    axes.set_ylim(-0.36 * top, 1.1 * top)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= top])
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    return figure


def draw_decision(example: Example) -> Figure:
    """Draw the model's output, its envelope with the two thresholds, and the wheels, around a shot and a false spin-up."""
    start_ms, end_ms = _busy_stretch(example)
    part = example.between(start_ms, end_ms)
    times = (example.trace.time_ms[part] - start_ms) / 1000
    levels = follow(example.trace.time_ms, example.trace.probability, PARAMETERS, end_ms=int(example.trace.time_ms[-1]))
    inside = (levels.time_ms >= start_ms) & (levels.time_ms < end_ms)
    figure = new_figure(WIDTH_IN, 3.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.4, 1])
    upper.plot(times, example.trace.probability[part], color=FAINT.light, linewidth=0.8, label="output of the model")
    upper.plot(
        (levels.time_ms[inside] - start_ms) / 1000,
        levels.fall[inside],
        color=BLUE.light,
        linewidth=1.8,
        label="smoothed",
    )
    seconds = (end_ms - start_ms) / 1000
    for level, name in ((PARAMETERS.on, "on"), (PARAMETERS.off, "off")):
        upper.axhline(level, color=RED.light, linewidth=1.0, linestyle=(0, (5, 2)))
        upper.text(seconds * 1.005, level, f"{name}: {level:.2f}", va="center", color=RED.light)
    upper.set_ylim(0, 1.03)
    upper.set_ylabel("probability")
    upper.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False)
    _draw_wheels(lower, example, start_ms, end_ms)
    lower.set_xlim(0, seconds)
    lower.set_xlabel("seconds")
    return figure


def _draw_wheels(axes: Axes, example: Example, start_ms: float, end_ms: float) -> None:
    """Draw the spin-ups from ``start_ms`` to ``end_ms`` as bars, with the lead of the shot among them."""
    for (on, off), kind, shot in zip(example.spin_ups.times_ms, example.events.kind, example.events.shot, strict=True):
        if off <= start_ms or on >= end_ms:
            continue
        false = kind != SpinUpKind.WITH_SHOT
        left, right = (on - start_ms) / 1000, (off - start_ms) / 1000
        axes.barh(0.5, right - left, left=left, height=1, color=(RED if false else BLUE).light, linewidth=0)
        if false:
            axes.text((left + right) / 2, -0.45, "false spin-up", ha="center", va="top", color=RED.light)
            continue
        shot_s = (example.accepted_ms[shot] - start_ms) / 1000
        axes.plot((shot_s, shot_s), (-0.3, 1.5), color=INK.light, linewidth=1.4)
        axes.text(shot_s, 1.6, "shot", ha="center", va="bottom", color=INK.light)
        axes.plot((left, left), (-0.3, 0), color=INK.light, linewidth=0.8)
        axes.plot((left, shot_s), (-0.3, -0.3), color=INK.light, linewidth=0.8)
        axes.text((left + shot_s) / 2, -0.45, "lead", ha="center", va="top", color=INK.light)
    axes.set_ylim(-1.6, 2.6)
    axes.set_yticks([0.5], ["wheels on"])
    axes.spines.left.set_visible(False)
    axes.tick_params(axis="y", length=0)


def _draw_turning(axes: Axes, example: Example, zero_ms: int, *, before_ms: float, after_ms: float) -> float:
    """Draw how fast the blaster turns around ``zero_ms``; return the largest value."""
    part = example.between(zero_ms - before_ms, zero_ms + after_ms)
    speed: npt.NDArray[np.float64] = example.degrees_a_second[part]
    axes.plot(example.trace.time_ms[part] - zero_ms, speed, color=BLUE.light, linewidth=1.4)
    axes.set_xlim(-before_ms, after_ms)
    axes.set_xlabel("ms before and after the shot")
    axes.set_ylabel("turning (°/s)")
    axes.set_facecolor(PANEL.light)
    return float(speed.max())


def _draw_shot(axes: Axes, at_ms: float, height: float, name: str = "shot") -> None:
    axes.axvline(at_ms, color=INK.light, linewidth=1.4)
    axes.text(at_ms + 20, height, name, va="center", color=INK.light)


def _draw_span(axes: Axes, start_ms: float, end_ms: float, height: float) -> None:
    axes.annotate(
        "",
        (end_ms, height),
        (start_ms, height),
        arrowprops={"arrowstyle": "<->", "color": INK.light, "shrinkA": 0, "shrinkB": 0},
    )


def _shot_in_time(example: Example) -> int:
    """Return the time of the first shot in time with no other trigger edge within 2 s."""
    edges = example.session.shots.time_ms
    for shot_ms in example.accepted_ms[example.events.in_time]:
        if np.count_nonzero(np.abs(edges - shot_ms) < 2000) == 1:  # noqa: PLR2004
            return int(shot_ms)
    raise ValueError("no shot of the example is in time and alone")


def _shot_with_burst(example: Example) -> tuple[int, int]:
    """Return the times of the first accepted shot with exactly one rejected edge after it, and of that edge."""
    shots = example.session.shots
    for index in np.flatnonzero(shots.accepted[:-1]):
        shot_ms, edge_ms = (int(value) for value in shots.time_ms[index : index + 2])
        close = np.abs(shots.time_ms - shot_ms) < 2500  # noqa: PLR2004
        if not shots.accepted[index + 1] and edge_ms - shot_ms > 500 and np.count_nonzero(close) == 2:  # noqa: PLR2004
            return shot_ms, edge_ms
    raise ValueError("no shot of the example has a burst")


def _busy_stretch(example: Example) -> tuple[float, float]:
    """Return the first stretch of 7 s with a spin-up with one shot, in time, and a false one, both whole and far apart."""
    on, off = example.spin_ups.times_ms.T
    for first in range(on.size - 1):
        kinds = example.events.kind[first : first + 2]
        start_ms = float(on[first]) - 900
        end_ms = start_ms + 7000
        apart = on[first + 1] - off[first] > 700  # noqa: PLR2004
        whole = apart and off[first + 1] < end_ms - 500 and (first == 0 or off[first - 1] < start_ms)
        alone = first + 2 >= on.size or on[first + 2] > end_ms
        edges = example.session.shots.time_ms
        shots = np.count_nonzero((edges > start_ms) & (edges < end_ms))
        if sorted(kinds) == [SpinUpKind.FALSE, SpinUpKind.WITH_SHOT] and whole and alone and shots == 1:
            with_shot = first + int(kinds[0] != SpinUpKind.WITH_SHOT)
            if example.accepted_ms[example.events.shot[with_shot]] - on[with_shot] >= MIN_LEAD_MS:
                return start_ms, end_ms
    raise ValueError("no stretch of the example has a shot and a false spin-up")

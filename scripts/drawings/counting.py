"""Drawings of what is counted over many shots: spin-ups and duty, chance, the trade-off, average precision."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import average_precision_score, precision_recall_curve

from replay.evaluation.evaluate import positive_samples
from replay.evaluation.events import SpinUpKind, match_events
from replay.evaluation.sweep import sweep
from scripts.drawings.example import PARAMETERS, Example
from scripts.drawings.svg import BLUE, GREEN, INK, LINE, RED, new_figure
from scripts.drawings.timeline import WIDTH_IN
from stinger.shots import MIN_LEAD_MS

_STRETCH_MS: Final = 60_000
_THRESHOLDS: Final = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
_NAMED: Final = (0.1, 0.3, 0.5, 0.7)
_CHANCE_SEED: Final = 0
"""With it 4 of 14 random shots are in time; the mean of the seeds 0 to 199 is 4.2."""


def draw_chance(example: Example) -> Figure:
    """Draw a minute with its spin-ups: once with the real shots, once with as many shots at random moments."""
    start_ms, end_ms = _minute(example)
    shots = example.accepted_ms
    real = shots[(shots >= start_ms) & (shots < end_ms)]
    recorded = example.trace.time_ms[example.between(start_ms, end_ms)]
    random = np.sort(np.random.default_rng(_CHANCE_SEED).choice(recorded, size=real.size, replace=False))
    figure = new_figure(WIDTH_IN, 2.9)
    for axes, name, times in zip(
        figure.subplots(2, 1, sharex=True), ("real shots", "random"), (real, random), strict=True
    ):
        in_time = _draw_minute(axes, example, times, start_ms)
        axes.set_title(f"{name}: {in_time} of {times.size} in time", fontsize=9, loc="left", color=INK.light)
    axes.set_xlabel("seconds")
    return figure


def draw_trade_off(example: Example) -> Figure:
    """Draw shots in time against the time with wheels on, at thresholds from high to low."""
    rows = sweep([example.trace], PARAMETERS, _THRESHOLDS, min_lead_ms=MIN_LEAD_MS)
    duty = [100 * row.duty for row in rows]
    figure = new_figure(WIDTH_IN, 2.9)
    axes = figure.add_subplot()
    axes.plot(duty, [100 * row.accepted.value for row in rows], "-o", color=BLUE.light, markersize=3.5)
    axes.plot(duty, [100 * row.by_chance for row in rows], linestyle=(0, (4, 2)), color=RED.light)
    for row in rows:
        if row.parameters.on in _NAMED:
            axes.annotate(
                f"threshold {row.parameters.on:.1f}, {row.false.value:.1f} false a minute",
                (100 * row.duty, 100 * row.accepted.value),
                textcoords="offset points",
                xytext=(7, -9),
                color=INK.light,
            )
    middle = rows[len(rows) // 3]
    axes.text(100 * middle.duty + 3, 100 * middle.by_chance - 3, "by chance", va="top", color=RED.light)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 104)
    axes.set_xlabel("duty: time with wheels on (%)")
    axes.set_ylabel("shots in time (%)")
    return figure


def draw_average_precision(example: Example) -> Figure:
    """Draw the share of right samples among those with the highest output, down to where all are found."""
    positive, counted = positive_samples(example.trace)
    labels, outputs = positive[counted], example.trace.probability[counted]
    precision, recall, _ = precision_recall_curve(labels, outputs)
    value, chance = average_precision_score(labels, outputs), float(labels.mean())
    found, right = _thinned(recall[::-1], precision[::-1])
    figure = new_figure(WIDTH_IN, 2.7)
    axes = figure.add_subplot()
    axes.fill_between(100 * found, 0, 100 * right, color=BLUE.light, alpha=0.25, linewidth=0)
    axes.plot(100 * found, 100 * right, color=BLUE.light, linewidth=1.6)
    axes.axhline(100 * chance, color=RED.light, linewidth=1.2, linestyle=(0, (5, 2)))
    axes.text(99, 100 * chance + 3, f"by chance: {chance:.2f}", ha="right", color=RED.light)
    axes.text(12, 9 + 100 * chance, f"area: average precision {value:.2f}", color=INK.light)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 102)
    axes.set_xlabel("samples before a shot that are found so far (%)")
    axes.set_ylabel("right so far (%)")
    return figure


def _draw_minute(axes: Axes, example: Example, shot_ms: npt.NDArray[np.int64], start_ms: int) -> int:
    """Draw the minute from ``start_ms`` on, with shots at ``shot_ms`` ``(m,)``; return how many of them are in time."""
    end_ms = start_ms + _STRETCH_MS
    times = example.spin_ups.times_ms
    inside = (times[:, 1] > start_ms) & (times[:, 0] < end_ms)
    events = match_events(times[inside], shot_ms, min_lead_ms=MIN_LEAD_MS)
    for (on, off), kind in zip(times[inside], events.kind, strict=True):
        colour = BLUE if kind == SpinUpKind.WITH_SHOT else LINE if kind == SpinUpKind.REPEAT else RED
        axes.barh(0, (off - on) / 1000, left=(on - start_ms) / 1000, height=0.5, color=colour.light, linewidth=0)
    for at_ms, in_time in zip(shot_ms, events.in_time, strict=True):
        axes.plot(
            (at_ms - start_ms) / 1000,
            0.52,
            "v",
            markersize=6,
            color=(GREEN if in_time else INK).light,
            markerfacecolor=(GREEN.light if in_time else "none"),
        )
    axes.set_xlim(0, _STRETCH_MS / 1000)
    axes.set_ylim(-0.4, 0.8)
    axes.set_yticks([0], ["wheels"])
    axes.spines.left.set_visible(False)
    axes.tick_params(axis="y", length=0)
    return int(np.count_nonzero(events.in_time))


def _minute(example: Example) -> tuple[int, int]:
    """Return the first minute, from its first spin-up on, with six shots or more and a false spin-up."""
    times = example.spin_ups.times_ms
    for on in times[:, 0]:
        start_ms, end_ms = int(on) - 1000, int(on) - 1000 + _STRETCH_MS
        shots = np.count_nonzero((example.accepted_ms >= start_ms) & (example.accepted_ms < end_ms))
        inside = (times[:, 0] >= start_ms) & (times[:, 1] < end_ms)
        if shots >= 6 and np.count_nonzero(example.events.kind[inside] == SpinUpKind.FALSE) >= 2:  # noqa: PLR2004
            return start_ms, end_ms
    raise ValueError("no minute of the example has six shots and a false spin-up")


def _thinned(
    found: npt.NDArray[np.float64], right: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return about 200 points of a curve, for a small file."""
    chosen = np.unique(np.linspace(0, found.size - 1, num=4000).astype(np.intp))
    keep = np.unique(np.searchsorted(found[chosen], np.linspace(0, 1, num=201)).clip(max=chosen.size - 1))
    return found[chosen][keep], right[chosen][keep]

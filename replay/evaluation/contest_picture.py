"""Draw a contest: shots in time against false spin-ups for each model, and the results of each held-out session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from replay.evaluation.contest import Contender, Contest
from replay.evaluation.cost_choice import Budget
from replay.evaluation.differences_picture import draw_differences
from replay.evaluation.verdict import Verdict
from replay.plots.style import BLACK, GREY, MODEL_LINES, ORANGE, THRESHOLD_LINE, Picture, legend_above, short_name
from stinger.files import StrPath

_WIDTH_IN: Final = 8.0
_HEIGHT_IN: Final = 9.2
_NAMES_IN: Final = 0.9
"""Height for the names of sessions below the lower panel."""
_MAX_NAMES: Final = 24
"""The names of more sessions than this would overlap."""
_NAME_CHARACTERS: Final = 26
_UPRIGHT_CHARACTERS: Final = 60
"""Names with no more characters than this, all together, fit beside each other."""
_MARK_OFFSET: Final = 0.16
"""Horizontal distance of the two models from the centre of a session."""
_SHOWN_BUDGETS: Final = 1.6
"""The trade-off is shown at least up to this multiple of the limit."""


def draw_contest(contest: Contest, verdict: Verdict, budget: Budget, path: StrPath, *, title: str, dpi: float) -> None:
    """Write a PNG of ``contest``: the differences of cost, each model's trade-off, and each session.

    The lower panel compares the challenger that won, or came nearest to it, with the champion.
    """
    nearest = verdict.winner or (verdict.rulings[0].challenger if verdict.rulings else None)
    rival = next((one for one in contest.challengers if one.name == nearest), None)
    picture = Picture(_WIDTH_IN, _HEIGHT_IN, dpi)
    picture.title(title, above_in=0.4)
    draw_differences(picture.panel(7.75, 0.95, left_in=2.2), verdict.rulings, [one.name for one in contest.challengers])
    _draw_trade_offs(picture.panel(3.75, 2.9), contest, budget)
    _draw_sessions(picture.panel(0.3 + _NAMES_IN, 1.6), contest, rival)
    picture.save(path)


def _draw_trade_offs(panel: Axes, contest: Contest, budget: Budget) -> None:
    contenders = [contest.champion, *contest.challengers]
    lines = []
    for contender, (colour, style) in zip(contenders, _lines(len(contenders)), strict=True):
        kept = [row for row in contender.rows if row.duty <= budget.max_duty]
        (line,) = panel.plot(
            [row.false.value for row in kept],
            [100 * row.accepted.value for row in kept],
            linestyle=style,
            color=colour,
            label=_label(contender, contest),
        )
        lines.append(line)
        best = contender.best
        panel.vlines(best.false.value, 100 * best.accepted.low, 100 * best.accepted.high, color=colour, linewidth=0.8)
        panel.plot(best.false.value, 100 * best.accepted.value, "D", color=colour, markersize=6)
    panel.axvline(budget.max_false_per_minute, **THRESHOLD_LINE)
    mark = Line2D(
        [], [], color=BLACK, marker="D", linestyle="none", markersize=6, label="least cost, with 95 % interval"
    )
    allowed = Line2D([], [], label=f"limit: {budget.max_false_per_minute:g} a minute", **THRESHOLD_LINE)
    marked = max(contender.best.false.value for contender in contenders)
    panel.set_xlim(0, max(_SHOWN_BUDGETS * max(budget.max_false_per_minute, 0.5), 1.1 * marked))
    panel.set_ylim(-3, 103)
    panel.set_xlabel(
        f"false spin-ups a minute, thresholds with wheels on at most {100 * budget.max_duty:g} % of the time"
    )
    panel.set_ylabel("shots in time (%)")
    legend_above(panel, [*lines, mark, allowed], columns=3)


def _draw_sessions(panel: Axes, contest: Contest, rival: Contender | None) -> None:
    places = np.arange(len(contest.held_out))
    handles = []
    shown = [(contest.champion, -_MARK_OFFSET, BLACK, "o"), (rival, _MARK_OFFSET, ORANGE, "D")]
    for contender, offset, colour, marker in shown:
        if contender is None:
            continue
        values = [100 * one.accepted.value for one in contender.sessions]  # NaN, which draws no mark, without a shot
        low = [100 * one.accepted.low if one.accepted.total else np.nan for one in contender.sessions]
        high = [100 * one.accepted.high if one.accepted.total else np.nan for one in contender.sessions]
        panel.vlines(places + offset, low, high, color=GREY, linewidth=0.7)
        handles += panel.plot(
            places + offset,
            values,
            marker,
            color=BLACK,
            markerfacecolor=colour,
            markersize=5,
            label=_label(contender, contest),
        )
    panel.set_xlim(-0.6, len(places) - 0.4)
    panel.set_ylim(-3, 105)
    panel.set_ylabel("shots in time (%)")
    _name_sessions(panel, contest.held_out)
    if handles:
        legend_above(panel, handles)


def _name_sessions(panel: Axes, names: Sequence[str]) -> None:
    if len(names) > _MAX_NAMES:
        panel.set_xlabel(f"{len(names)} held-out sessions, in the order of the table")
        return
    shown = [_shortened(name) for name in names]
    if sum(map(len, shown)) <= _UPRIGHT_CHARACTERS:
        panel.set_xticks(range(len(names)), shown, fontsize=7)
    else:
        panel.set_xticks(range(len(names)), shown, rotation=35, ha="right", fontsize=6.5)


def _shortened(name: str) -> str:
    """Return the start and the end of a long name, which are the device and the time of day."""
    if len(name) <= _NAME_CHARACTERS:
        return name
    half = _NAME_CHARACTERS // 2
    return f"{name[: half - 1]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"


def _lines(count: int) -> list[tuple[str, object]]:
    """Return colours and line styles: black for the champion, a different line for each challenger."""
    return [(BLACK, "-"), *(MODEL_LINES[i % len(MODEL_LINES)] for i in range(count - 1))]


def _label(contender: Contender, contest: Contest) -> str:
    return f"champion: {short_name(contender.name)}" if contender is contest.champion else contender.name

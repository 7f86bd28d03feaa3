"""The report of a retraining as a Markdown page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from replay.evaluation.block_bootstrap import Estimate
from replay.evaluation.comparison_wording import change_text, cost_text
from replay.evaluation.contest import Contender, Contest
from replay.evaluation.cost import CostWeights, cost_per_minute
from replay.evaluation.report import FEW_SHOTS, table_markdown
from replay.evaluation.verdict import Rules
from replay.evaluation.wording import number_text, percent_text, rate_text, ratio_text
from service.retraining.report_values import data_of, held_out_values, options_of
from service.retraining.result import JudgedContest, Outcome, RetrainingResult
from service.retraining.rules import rules_of
from stinger.wording import counted

_COST: Final = (
    "Models are compared by cost: {:g} for each accepted shot that is not in time, {:g} for each false spin-up, {:g} for each "
    "minute with wheels on. Each session is measured at the thresholds that cost least on the other sessions (with a single "
    "session: each fifth of it at those that cost least on the rest), so no figure is from data that its threshold was chosen "
    "on."
)
_INTERVAL: Final = "The intervals are from a paired bootstrap over {} {}; they hold for all challengers together with {:g} % confidence."
_LIMITS: Final = (
    "The verdict is by thresholds within the limits: at most {:g} false spin-ups a minute, wheels on at most {:g} % of the "
    "time. A challenger must keep to them; of the champion's thresholds, only those that clearly exceed them are left out."
)


def report_page(result: RetrainingResult, *, picture: str) -> str:
    """Return a Markdown page about ``result``.

    If models were compared, it shows ``picture``, a path relative to the page.
    """
    lines = [f"# {report_title(result)}", ""]
    for sentence in result.why:
        lines += [sentence, ""]
    if result.judged is not None:
        lines += _comparison(result, result.judged, picture)
    lines += [*_data_table(result), *_options_table(result)]
    return "\n".join(lines) + "\n"


def report_title(result: RetrainingResult) -> str:
    """Return the title of the report and of its picture: when it was, and what came of it."""
    titles = {
        Outcome.PROMOTED: f"{result.version} is the new champion",
        Outcome.KEPT: "the champion stays",
        Outcome.NOT_YET: "not yet",
    }
    return f"Retraining of {result.started:%Y-%m-%d %H:%M} UTC: {titles[result.outcome]}"


def _comparison(result: RetrainingResult, judged: JudgedContest, picture: str) -> list[str]:
    contest = judged.contest
    contenders = [contest.champion, *contest.challengers]
    rules = rules_of(result.config.retrain)
    weights, budget = rules.weights, rules.budget
    notes = []
    shots = int(contest.blocks.shots.sum())
    if shots < FEW_SHOTS:
        notes.append(f"{shots} accepted shots are few: the wide intervals show how uncertain the figures are.")
    notes += _champion_threshold(contest, rules)
    return [
        *_difference_table(judged),
        f"![Differences of cost, shots in time against false spin-ups of each model, and each held-out session]({picture})",
        "",
        "## Verdict",
        "",
        *_rulings(judged),
        "",
        "## How they were compared",
        "",
        judged.plan.method,
        "",
        _COST.format(weights.missed_shot, weights.false_spin_up, weights.minute_on),
        "",
        *_interval_note(judged, rules.confidence),
        _LIMITS.format(budget.max_false_per_minute, 100 * budget.max_duty),
        "",
        *_comparison_table(contenders, contest, weights),
        "",
        *(f"- {note}" for note in notes),
        *(f"- {one.name}: {warning}." for one in contenders for warning in one.warnings),
        *(f"- {warning}." for warning in contest.warnings),
        "",
        *_sessions(judged),
        *_thresholds(contenders, contest),
    ]


def _difference_table(judged: JudgedContest) -> list[str]:
    """Return a table of each challenger's differences from the champion, as a user would notice them."""
    rows = []
    compared = [
        (ruling.challenger, thresholds, one)
        for ruling in judged.verdict.rulings
        for thresholds, one in (("of least cost", ruling.comparison), ("within the limits", ruling.within))
        if one is not None
    ]
    for challenger, thresholds, one in compared:
        probability = "-" if math.isnan(one.probability) else f"{100 * one.probability:.1f} %"
        duty = Estimate(100 * one.duty.value, 100 * one.duty.low, 100 * one.duty.high)
        rows.append(
            [
                challenger,
                thresholds,
                change_text(one.in_time, "more", "fewer", ".1f"),
                change_text(one.false_per_minute, "more", "fewer", ".2f"),
                change_text(duty, "more", "less", ".1f", unit=" %"),
                cost_text(one),
                probability,
            ]
        )
    if not rows:
        return []
    header = [
        "compared with the champion",
        "at thresholds",
        "shots in time, of 100",
        "false spin-ups a minute",
        "time with wheels on",
        "cost",
        "probability of being better",
    ]
    return [*_table(header, rows), ""]


def _interval_note(judged: JudgedContest, confidence: float) -> list[str]:
    comparison = next((one.comparison for one in judged.verdict.rulings if one.comparison is not None), None)
    if comparison is None:
        return []
    if math.isnan(comparison.probability):
        return [f"There are only {comparison.count} {comparison.units}: too few for an interval.", ""]
    return [_INTERVAL.format(comparison.count, comparison.units, 100 * confidence), ""]


def _champion_threshold(contest: Contest, rules: Rules) -> list[str]:
    """Return a note if the champion would cost clearly less at another threshold than at the one in its file."""
    own = next((row for row in contest.champion.rows if row.parameters.on == contest.champion_threshold), None)
    best = contest.champion.within or contest.champion.best
    if own is None or cost_per_minute(own, rules.weights) < 1.1 * cost_per_minute(best, rules.weights):
        return []
    note = (
        f"The champion's file has the threshold {own.parameters.on:.2f}, at which it costs "
        f"{cost_per_minute(own, rules.weights):.2f} a minute; at {best.parameters.on:.2f} it would cost "
        f"{cost_per_minute(best, rules.weights):.2f}. `stinger calibrate` changes the threshold of a model."
    )
    return [note]


def _figures(one: Contender, contest: Contest, weights: CostWeights) -> dict[str, str]:
    """Return one column of the comparison table, by the labels of the rows."""
    held_out = held_out_values(one.held_out, contest.blocks, weights)
    best, precision = one.best, one.average_precision
    figures = {
        "cost a minute": number_text(held_out["cost_per_minute"]),
        "accepted shots in time": percent_text(held_out["in_time"]),
        "false spin-ups a minute": number_text(held_out["false_per_minute"]),
        "wheels on": percent_text(held_out["duty"]),
        "threshold of least cost, over all sessions": f"{best.parameters.on:.2f}",
        "- accepted shots in time": f"{ratio_text(best.accepted)}; {percent_text(best.by_chance)} by chance",
        "- false spin-ups": rate_text(best.false),
        "- false spin-ups far from any shot": rate_text(best.false_quiet),
        "- lead p50 (p5, p95)": "-"
        if best.lead is None
        else f"{best.lead.p50_ms:.0f} ms ({best.lead.p5_ms:.0f}, {best.lead.p95_ms:.0f})",
        "- wheels on": percent_text(best.duty),
        "least cost within the limits": _within_text(one),
    }
    if precision is not None:
        figures["average precision"] = f"{precision.value:.3f} ({precision.by_chance:.3f} by chance)"
    return figures


def _within_text(one: Contender) -> str:
    if one.within is None:
        return "no threshold"
    if one.best_is_within:
        return "the same threshold"
    row = one.within
    return (
        f"at {row.parameters.on:.2f}: {percent_text(row.accepted.value)} in time, {number_text(row.false.value)} false a "
        f"minute, wheels on {percent_text(row.duty)}"
    )


def _comparison_table(contenders: Sequence[Contender], contest: Contest, weights: CostWeights) -> list[str]:
    columns = [_figures(one, contest, weights) for one in contenders]
    labels = dict.fromkeys(label for column in columns for label in column)
    return _table(
        ["", *(f"champion: {one.name}" if one is contest.champion else one.name for one in contenders)],
        [[label, *(column.get(label, "-") for column in columns)] for label in labels],
    )


def _rulings(judged: JudgedContest) -> list[str]:
    lines = []
    for ruling in judged.verdict.rulings:
        if ruling.challenger == judged.verdict.winner:
            lines.append(f"- **{ruling.challenger}** becomes champion.")
        elif not ruling.reasons:
            lines.append(f"- {ruling.challenger} is better than the champion too, but costs more than the winner.")
        else:
            lines.append(f"- {ruling.challenger} does not become champion. {' '.join(ruling.reasons)}")
    return lines


def _sessions(judged: JudgedContest) -> list[str]:
    contest = judged.contest
    shown = [one for one in (contest.champion, judged.best_challenger) if one is not None]
    header = ["session", "minutes", "shots"]
    header += [f"{one.name}: {what}" for one in shown for what in ("in time", "false spin-ups a minute")]
    rows = []
    for i, name in enumerate(contest.held_out):
        first = shown[0].sessions[i]
        cells = [name, f"{first.minutes:.1f}", str(first.accepted.total)]
        for one in shown:
            own = one.sessions[i]
            cells += [str(own.accepted.count) if own.accepted.total else "-", number_text(own.false.value)]
        rows.append(cells)
    note = "Each model at its threshold of least cost over all sessions."
    return ["## Each held-out session", "", note, "", *_table(header, rows), ""]


def _thresholds(contenders: Sequence[Contender], contest: Contest) -> list[str]:
    lines = ["## All thresholds", ""]
    for one in contenders:
        name = f"The champion, {one.name}" if one is contest.champion else one.name
        lines += [f"{name}:", "", *table_markdown(one.rows, one.best), ""]
    return lines


def _data_table(result: RetrainingResult) -> list[str]:
    entries = list(data_of(result))
    shots = sum(entry["accepted_shots"] for entry in entries)
    minutes = sum(entry["minutes"] for entry in entries)
    rows = [
        [
            entry["session"],
            entry["sha256"][:12],
            f"{entry['minutes']:.1f}",
            f"{entry['accepted_shots']} of {entry['shots']}",
            entry["role"],
        ]
        for entry in entries
    ]
    total = f"{counted(len(entries), 'session')}, {minutes:,.1f} minutes, {counted(shots, 'accepted shot')}."
    header = ["session", "SHA-256 of its file", "minutes", "accepted shots of trigger edges", "used as"]
    warnings = result.all_warnings
    return [
        "## Data",
        "",
        total,
        "",
        *(_table(header, rows) if rows else []),
        "",
        *(f"- {warning}" for warning in warnings),
        *([""] if warnings else []),
    ]


def _options_table(result: RetrainingResult) -> list[str]:
    rows = [[f"`{name}`", _option_text(value)] for name, value in options_of(result).items()]
    return ["## Options", "", *_table(["key", "value"], rows)]


def _option_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(value) if isinstance(value, tuple) else f"{value:g}" if isinstance(value, float) else str(value)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        # The name of a log may contain the character that separates columns.
        return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"

    return [line(header), f"|{' --- |' * len(header)}", *map(line, rows)]

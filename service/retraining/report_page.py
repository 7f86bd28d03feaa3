"""The report of a retraining as a Markdown page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from replay.evaluation.contest import Contender, Contest
from replay.evaluation.report import FEW_SHOTS, table_markdown
from replay.evaluation.wording import number_text, percent_text, rate_text, ratio_text
from service.retraining.report_values import data_of, options_of
from service.retraining.result import JudgedContest, Outcome, RetrainingResult
from stinger.wording import counted

_AT_BUDGET: Final = (
    "Each model is shown at the threshold with the most accepted shots in time, among those with at most {:g} false "
    "spin-ups a minute and wheels on at most {:g} % of the time."
)
_SAME_DATA: Final = (
    "The thresholds were chosen on the same sessions that the figures are from: on other sessions, all models will do a "
    "little worse."
)
_BEST_OF_SEVERAL: Final = (
    "The best of several challengers looks a little better than it is, because chance favours one of them: the margin "
    "makes up for that."
)


def report_page(result: RetrainingResult, *, picture: str) -> str:
    """Return a Markdown page about ``result``; if models were compared, it shows ``picture``, a path relative to the page."""
    titles = {
        Outcome.PROMOTED: f"{result.version} is the new champion",
        Outcome.KEPT: "the champion stays",
        Outcome.NOT_YET: "not yet",
    }
    lines = [f"# Retraining of {result.started:%Y-%m-%d %H:%M} UTC: {titles[result.outcome]}", ""]
    for sentence in result.why:
        lines += [sentence, ""]
    if result.judged is not None:
        lines += _comparison(result, result.judged, picture)
    lines += [*_data_table(result), *_options_table(result)]
    return "\n".join(lines) + "\n"


def _comparison(result: RetrainingResult, judged: JudgedContest, picture: str) -> list[str]:
    contest = judged.contest
    contenders = [contest.champion, *contest.challengers]
    settings = result.config.retrain
    notes = [_SAME_DATA, *([_BEST_OF_SEVERAL] if len(contest.challengers) > 1 else [])]
    shots = next((one.rows[0].accepted.total for one in contenders if one.rows), 0)
    if shots < FEW_SHOTS:
        notes.append(f"{shots} accepted shots are few: the wide intervals show how uncertain the figures are.")
    return [
        f"![Accepted shots in time against false spin-ups for each model, and each held-out session]({picture})",
        "",
        "## Comparison",
        "",
        judged.plan.method,
        "",
        _AT_BUDGET.format(settings.max_false_per_minute, 100 * settings.max_duty),
        "",
        *_comparison_table(contenders, contest),
        "",
        *(f"- {note}" for note in notes),
        *(f"- {one.name}: {warning}." for one in contenders for warning in one.warnings),
        *(f"- {warning}." for warning in contest.warnings),
        "",
        *_rulings(judged),
        *_sessions(judged),
        *_thresholds(contenders, contest),
    ]


def _figures(one: Contender) -> dict[str, str]:
    """Return one column of the comparison table, by the labels of the rows."""
    point, precision = one.point, one.average_precision
    figures = (
        {}
        if point is None
        else {
            "accepted shots in time": ratio_text(point.accepted),
            "by chance": percent_text(point.by_chance),
            "threshold": f"{point.parameters.on:.2f}",
            "false spin-ups": rate_text(point.false),
            "false spin-ups far from any shot": rate_text(point.false_quiet),
            "lead p50 (p5, p95)": "-"
            if point.lead is None
            else f"{point.lead.p50_ms:.0f} ms ({point.lead.p5_ms:.0f}, {point.lead.p95_ms:.0f})",
            "duty": percent_text(point.duty),
        }
    )
    if precision is not None:
        figures["average precision"] = f"{precision.value:.3f} ({precision.by_chance:.3f} by chance)"
    return figures


def _comparison_table(contenders: Sequence[Contender], contest: Contest) -> list[str]:
    columns = [_figures(one) for one in contenders]
    labels = dict.fromkeys(label for column in sorted(columns, key=len, reverse=True) for label in column)
    for column, one in zip(columns, contenders, strict=True):
        if one.point is None:
            column[next(iter(labels))] = "no threshold is within the budget"
    return _table(
        ["", *(f"champion: {one.name}" if one is contest.champion else one.name for one in contenders)],
        [[label, *(column.get(label, "-") for column in columns)] for label in labels],
    )


def _rulings(judged: JudgedContest) -> list[str]:
    lines = ["## Verdict", ""]
    for ruling in judged.verdict.rulings:
        if ruling.challenger == judged.verdict.winner:
            lines.append(f"- **{ruling.challenger}** becomes champion.")
        elif not ruling.reasons:
            lines.append(
                f"- {ruling.challenger} also follows the rules, but {_reason_not_best(judged, ruling.challenger)}."
            )
        else:
            lines.append(f"- {ruling.challenger} does not become champion. {' '.join(ruling.reasons)}")
    return [*lines, ""]


def _reason_not_best(judged: JudgedContest, name: str) -> str:
    best = judged.best_challenger
    other = next(one for one in judged.contest.challengers if one.name == name)
    if best is not None and other.in_time == best.in_time:
        return "has no more shots in time, and no lower duty"
    return "has fewer shots in time"


def _sessions(judged: JudgedContest) -> list[str]:
    contest = judged.contest
    shown = [one for one in (contest.champion, judged.best_challenger) if one is not None and one.point is not None]
    if not shown:
        return []
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
    return ["## Each held-out session", "", *_table(header, rows), ""]


def _thresholds(contenders: Sequence[Contender], contest: Contest) -> list[str]:
    lines = ["## All thresholds", ""]
    for one in contenders:
        name = f"The champion, {one.name}" if one is contest.champion else one.name
        lines += [f"{name}:", "", *table_markdown(one.rows, one.point), ""]
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

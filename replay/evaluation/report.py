"""Format an evaluation as text for a terminal, as Markdown and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from replay.evaluation.dynamic_mode import NEARLY_FULL, DynamicMode
from replay.evaluation.evaluate import LATEST_MS, SOONEST_MS, AveragePrecision, Evaluation
from replay.evaluation.events import EARLY_MS, NEAR_AFTER_MS, NEAR_BEFORE_MS
from replay.evaluation.intervals import CONFIDENCE
from replay.evaluation.sweep import TABLE_STEPS, thresholds
from replay.evaluation.turned import TurnedResult, turned_markdown, turned_table
from replay.evaluation.uncertainty import Uncertainty
from replay.evaluation.wording import number_text, percent_text, rate_text, ratio_text
from stinger.wording import counted

FEW_SHOTS: Final = 100
"""With fewer, recall is known to about 10 percentage points at best."""
FEW_MINUTES: Final = 30.0
"""In less, one false spin-up in ten minutes cannot be distinguished from none."""
MOSTLY_ON: Final = 0.5
"""From this value of ``by_chance`` on, recall means little: every second shot would be in time by chance."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One evaluated log. ``minutes`` are the recorded ones, without gaps."""

    path: str
    sha256: str
    minutes: float
    recordings: int
    accepted_shots: int
    shots: int


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """An evaluation. ``subject`` is the model and ``method`` how it was tested, a line each; ``rows`` are a sweep.

    ``dynamic`` is the same in the blaster's other idle mode, ``uncertainty`` further intervals, and ``turned`` the
    results for recordings that were turned, if they were computed.
    """

    subject: str
    method: str
    data: tuple[DataFile, ...]
    operating: Evaluation
    average_precision: AveragePrecision | None
    rows: tuple[Evaluation, ...]
    warnings: tuple[str, ...] = ()
    dynamic: DynamicMode | None = None
    uncertainty: Uncertainty | None = None
    turned: tuple[TurnedResult, ...] = ()


def to_json(report: EvaluationReport) -> dict[str, Any]:
    """Return ``report`` as JSON-ready values; a number that is not finite becomes null."""
    values = asdict(report)
    values["definitions"] = {
        "confidence": CONFIDENCE,
        "early_ms": EARLY_MS,
        "near_before_ms": NEAR_BEFORE_MS,
        "near_after_ms": NEAR_AFTER_MS,
        "average_precision_ms": [SOONEST_MS, LATEST_MS],
    }
    values["warnings"] = caveats(report)
    cleaned: dict[str, Any] = finite(values)
    return cleaned


def to_text(report: EvaluationReport, *, with_sweep: bool) -> list[str]:
    """Return lines for a terminal."""
    pairs = [*_data(report), ("model", report.subject), ("tested", report.method), *_results(report)]
    width = max(len(label) for label, _ in pairs) + 2
    lines = [f"{label:<{width}}{text}" for label, text in pairs]
    if with_sweep:
        lines += ["", *table(table_rows(report))]
    if report.turned:
        lines += ["", *turned_table(report.turned)]
    notes = [f"Note: {line}" for line in caveats(report)]
    return [*lines, *([""] if notes else []), *notes]


def to_markdown(report: EvaluationReport, *, picture: str) -> str:
    """Return a page with the content of :func:`to_text`, the sweep, and ``picture``, a path relative to the page."""
    pairs = [*_data(report), ("model", report.subject), ("tested", report.method), *_results(report)]
    lines = [
        f"# Evaluation of {report.subject}",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {label} | {text} |" for label, text in pairs),
        "",
        *(f"- {line}" for line in caveats(report)),
        "",
        "## Every threshold",
        "",
        f"![Recall against false spin-ups a minute]({picture})",
        "",
        *table_markdown(report.rows, report.operating),
        "",
        *(["## Held in another way", "", *turned_markdown(report.turned), ""] if report.turned else []),
    ]
    return "\n".join(lines)


def table_rows(report: EvaluationReport) -> list[Evaluation]:
    """Return the rows of the sweep to show in a table: thresholds 0.05 apart, and the operating point."""
    return rows_to_read(report.rows, report.operating)


def rows_to_read(rows: Sequence[Evaluation], operating: Evaluation | None) -> list[Evaluation]:
    """Return the rows of a sweep to show in a table: thresholds 0.05 apart, and ``operating``."""
    shown = {*thresholds(TABLE_STEPS), *(() if operating is None else (operating.parameters.on,))}
    return [row for row in rows if row.parameters.on in shown]


def table_markdown(rows: Sequence[Evaluation], operating: Evaluation | None) -> list[str]:
    """Return the lines of a Markdown table of :func:`rows_to_read`."""
    header, *cells = _cells(rows_to_read(rows, operating))
    return [
        f"| {' | '.join(header)} |",
        f"|{' ---: |' * len(header)}",
        *(f"| {' | '.join(row)} |" for row in cells),
    ]


def table(rows: Sequence[Evaluation]) -> list[str]:
    """Return the rows of a sweep as aligned lines below a header."""
    cells = _cells(rows)
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]


def caveats(report: EvaluationReport) -> list[str]:
    """Return notes on how far the numbers can be trusted, one or two sentences each, and the warnings of ``report``."""
    result = report.operating
    lines = []
    wanted = [f"{FEW_SHOTS} shots"] if result.accepted.total < FEW_SHOTS else []
    wanted += [f"{FEW_MINUTES:.0f} minutes"] if result.minutes < FEW_MINUTES else []
    if wanted:
        lines.append(
            f"There is little data: {counted(result.accepted.total, 'accepted shot')} in {result.minutes:.1f} minutes, so "
            f"the intervals are wide. Record at least {' and '.join(wanted)}."
        )
    if result.false.count == 0 and result.minutes > 0:
        lines.append(
            f"No false spin-up in {result.minutes:.2f} minutes does not mean a rate of 0: with 95 % confidence it is below "
            f"3 in {result.minutes:.2f} minutes, {result.false.high:.2g} a minute."
        )
    if result.by_chance >= MOSTLY_ON:
        lines.append(
            "The wheels are on so much of the time that a shot at a random moment would be in time in "
            f"{percent_text(result.by_chance)} of cases: recall and rate of false spin-ups do not show that the model predicts."
        )
    return [*lines, *report.warnings]


def _data(report: EvaluationReport) -> list[tuple[str, str]]:
    return [
        (
            "data",
            f"{Path(file.path).name} (sha256 {file.sha256[:12]}): {file.minutes:.2f} min"
            + (f", {file.recordings} recordings" if file.recordings > 1 else "")
            + f", {file.accepted_shots} accepted shots of {file.shots} trigger edges",
        )
        for file in report.data
    ]


def _results(report: EvaluationReport) -> list[tuple[str, str]]:
    result, spin_ups = report.operating, report.operating.spin_ups
    precision = report.average_precision
    lead, uncertainty = result.lead, report.uncertainty
    return [
        ("decision", f"wheels on at {result.parameters.on:g}, off below {result.parameters.off:g}"),
        (
            "shots in time",
            f"{ratio_text(result.accepted)} of the accepted ones, {result.min_lead_ms:g} ms before or more",
        ),
        ("", f"{ratio_text(result.all_shots)} of all trigger edges"),
        ("", f"{percent_text(result.by_chance)} by chance: of shots at random moments"),
        (
            "not in time",
            (
                f"{result.late} accepted shots with wheels on too late, {result.wheels_off} with wheels off; "
                f"{result.without_output} of them before the model had an output"
            ),
        ),
        (
            "spin-ups",
            (
                f"{spin_ups.total}: {spin_ups.carrying} with a shot "
                f"({counted(result.further_shots, 'further shot')} in them), "
                f"{counted(spin_ups.repeats, 'repeat')}, {spin_ups.false} false ({spin_ups.early} of them early)"
            ),
        ),
        ("false spin-ups", f"{rate_text(result.false)}, in total"),
        ("", f"{rate_text(result.false_quiet)}, where no shot is near"),
        *(
            []
            if uncertainty is None
            else [("", f"{uncertainty.false_by_chance:.2f} a minute by chance: with shots at random moments")]
        ),
        (
            "lead",
            "none: no accepted shot came with wheels on"
            if lead is None
            else f"{lead.p50_ms:.0f} ms ({lead.p50_low_ms:.0f} to {lead.p50_high_ms:.0f}), p5 {lead.p5_ms:.0f}, "
            f"p95 {lead.p95_ms:.0f}, over {counted(lead.shots, 'shot')}",
        ),
        ("duty", f"wheels on {percent_text(result.duty)}{_percent_interval(uncertainty)} of the time"),
        *_dynamic(report.dynamic),
        (
            "per sample",
            "no sample has a shot ahead"
            if precision is None
            else f"average precision {precision.value:.3f}{_precision_interval(uncertainty)} for a shot in {SOONEST_MS} to {LATEST_MS} ms "
            f"({precision.by_chance:.3f} by chance)",
        ),
    ]


def _percent_interval(uncertainty: Uncertainty | None) -> str:
    """Return the interval of the duty, such as `` (45 to 53 %)``; nothing if it is not known."""
    if uncertainty is None or math.isinf(uncertainty.duty.low):
        return ""
    return f" ({100 * uncertainty.duty.low:.0f} to {percent_text(uncertainty.duty.high)})"


def _precision_interval(uncertainty: Uncertainty | None) -> str:
    """Return the interval of the average precision, such as `` (0.098 to 0.133)``; nothing if it is not known."""
    interval = None if uncertainty is None else uncertainty.average_precision
    if interval is None or math.isinf(interval.low):
        return ""
    return f" ({interval.low:.3f} to {interval.high:.3f})"


def _dynamic(dynamic: DynamicMode | None) -> list[tuple[str, str]]:
    """Return the results in the idle mode Dynamic, where the speed of the wheels follows the probability."""
    if dynamic is None:
        return []
    over_time = (
        f"{percent_text(dynamic.by_chance)} by chance: the mean over time; turning {percent_text(dynamic.turning)}"
    )
    if dynamic.at_shot is None:
        return [("mode Dynamic", f"no accepted shot; wheel speed of {dynamic.idle_rpm} rpm: {over_time} of the time")]
    mean, p5, p50, p95 = (f"{100 * share:.0f}" for share in dynamic.at_shot)
    at_shot = f"wheel speed at the shot {mean} % of {dynamic.idle_rpm} rpm (p5 {p5}, p50 {p50}, p95 {p95} %)"
    in_time = f"{ratio_text(dynamic.in_time)} of the accepted shots at {percent_text(NEARLY_FULL)} speed in time"
    return [
        ("mode Dynamic", at_shot),
        ("", f"{over_time} of the time"),
        ("", f"{in_time}; {percent_text(dynamic.in_time_by_chance)} by chance"),
    ]


def _cells(rows: Sequence[Evaluation]) -> list[list[str]]:
    header = [
        "threshold",
        "in time",
        "recall",
        "by chance",
        "false",
        "false/min",
        "early",
        "repeats",
        "lead ms",
        "duty",
    ]
    return [header] + [
        [
            f"{row.parameters.on:.2f}",
            f"{row.accepted.count}/{row.accepted.total}",
            percent_text(row.accepted.value),
            percent_text(row.by_chance),
            f"{row.false.count}",
            number_text(row.false.value),
            f"{row.spin_ups.early}",
            f"{row.spin_ups.repeats}",
            "-" if row.lead is None else f"{row.lead.p50_ms:.0f}",
            percent_text(row.duty),
        ]
        for row in rows
    ]


def finite(value: Any) -> Any:
    """Return ``value`` with NaN and infinity replaced by ``None`` and tuples by lists, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return value

"""The report of a run as one self-contained HTML page: it needs no network and no other file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from hil.limits import Verdict
from hil.record import Latency, Measurement, RunRecord, ScenarioRecord, TimelineEntry
from hil.report import formatting
from hil.report.baseline import Comparison
from hil.report.change_rule import rule
from hil.report.gauge import Gauge, gauge
from hil.report.histogram import Panel, panels
from hil.report.timeline_chart import TimelineChart, timeline_chart
from stinger.wording import counted

_MAX_MEASUREMENTS: Final = 30
"""With more measurements, those that passed are collapsed."""
_MAX_ENTRIES: Final = 200
_MAX_ATTENTION: Final = 10
_MAX_ROWS: Final = 60
"""Rows of a timeline chart; with more devices, those without a fault or recovery are omitted first."""


@dataclass(frozen=True, slots=True)
class _GaugedMeasurement:
    measurement: Measurement
    gauge: Gauge


@dataclass(frozen=True, slots=True)
class _Section:
    """A scenario on the page. ``shown`` and ``collapsed`` are its measurements with a limit, ``unlimited`` the others."""

    anchor: str
    record: ScenarioRecord
    reasons: Sequence[str]
    kept: int
    shown: Sequence[_GaugedMeasurement]
    collapsed: Sequence[_GaugedMeasurement]
    unlimited: Sequence[Measurement]
    panels: Sequence[Panel]
    latency_notes: Sequence[str]
    timeline: TimelineChart | None
    rows_omitted: int
    entries: Sequence[TimelineEntry]
    entries_omitted: int


def html_page(record: RunRecord, comparison: Comparison | None = None) -> str:
    """Return the page, with the comparison if there is one. Every text in the record is escaped."""
    sections = list(_sections(record))
    bad = [section for section in sections if not section.record.verdict.good]
    bad.sort(key=lambda section: -section.record.verdict.rank)
    page = _template().render(
        run=record,
        started=_format_time(record.started),
        headline=formatting.headline(record),
        tally=formatting.tally(record),
        sections=sections,
        attention=bad[:_MAX_ATTENTION],
        attention_omitted=len(bad[_MAX_ATTENTION:]),
        some_good=0 < len(bad) < len(sections),
        comparison=comparison,
        compared_with=_format_time(comparison.old.started) if comparison else "",
        comparison_rule=rule(),
        verdicts=list(Verdict),
        corrected=any(latency.corrected for scenario in record.scenarios for latency in scenario.latencies),
        has_latencies=any(scenario.latencies for scenario in record.scenarios),
    )
    return page.encode(errors="replace").decode()  # JSON can hold half a surrogate pair, which UTF-8 cannot


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("hil.report", "page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "count": counted,
        "duration_s": formatting.duration_s,
        "duration_us": formatting.duration_us,
        "limit": _limit,
        "number": formatting.number,
        "value": formatting.format_value,
        "verdict": formatting.VERDICT_WORDS.__getitem__,
    }
    return environment.get_template("page.html")


def _sections(record: RunRecord) -> Iterator[_Section]:
    for place, scenario in enumerate(record.scenarios, 1):
        gauged = []
        for measurement in scenario.measurements:
            chart = gauge(measurement)
            if chart is not None:
                gauged.append(_GaugedMeasurement(measurement, chart))
        passed = [each for each in gauged if each.measurement.verdict is Verdict.PASS]
        collapse = len(gauged) > _MAX_MEASUREMENTS
        chart_of_timeline, omitted = _limit_rows(timeline_chart(scenario))
        yield _Section(
            anchor=f"scenario-{place}",
            record=scenario,
            reasons=formatting.reasons(scenario),
            kept=sum(each.measurement.verdict in (Verdict.PASS, Verdict.MARGINAL) for each in gauged),
            shown=[each for each in gauged if each not in passed] if collapse else gauged,
            collapsed=passed if collapse else [],
            unlimited=[each for each in scenario.measurements if each.limit is None],
            panels=panels(scenario.latencies),
            latency_notes=_latency_notes(scenario.latencies),
            timeline=chart_of_timeline,
            rows_omitted=omitted,
            entries=sorted(scenario.timeline, key=lambda entry: entry.at_s)[:_MAX_ENTRIES],
            entries_omitted=len(scenario.timeline[_MAX_ENTRIES:]),
        )


def _limit_rows(chart: TimelineChart | None) -> tuple[TimelineChart | None, int]:
    """Return the chart with at most _MAX_ROWS rows, and how many rows are omitted."""
    if chart is None or len(chart.rows) <= _MAX_ROWS:
        return chart, 0
    eventful = [row for row in chart.rows if row.faults or row.recoveries]
    quiet = [row for row in chart.rows if not (row.faults or row.recoveries)]
    chosen = [*eventful, *quiet][:_MAX_ROWS]
    rows = tuple(row for row in chart.rows if row in chosen)
    return TimelineChart(rows, chart.by_device, chart.ticks), len(chart.rows) - len(rows)


def _latency_notes(latencies: Sequence[Latency]) -> list[str]:
    """Return notes on the latencies with the daemon, each with the stages that it applies to."""
    measured = [latency for latency in latencies if not latency.floor]
    notes: dict[str, list[str]] = {}
    for latency in measured:
        if latency.corrected:
            notes.setdefault("Corrected for coordinated omission", []).append(latency.stage)
        if latency.uncertainty_us is not None:
            uncertainty = formatting.duration_us(latency.uncertainty_us)
            notes.setdefault(f"Uncertain by ±{uncertainty}, as the two ends share no clock", []).append(latency.stage)
    return [
        f"{note}: {'every stage' if len(stages) == len(measured) > 1 else '; '.join(stages)}."
        for note, stages in notes.items()
    ]


def _limit(measurement: Measurement) -> str:
    assert measurement.limit is not None
    return formatting.format_limit(measurement.limit, measurement.unit if measurement.value is None else "")


def _format_time(started: str) -> str:
    """Return a time of a record as people write it, or unchanged if it is not a valid time."""
    try:
        moment = datetime.fromisoformat(started)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return started
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"

"""A run as one HTML page that needs nothing else: no network, no file beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from hil.limits import Verdict
from hil.record import Latency, Measurement, RunRecord, ScenarioRecord, TimelineEntry
from hil.report import baseline, formatting
from hil.report.baseline import Comparison
from hil.report.gauge import Gauge, gauge
from hil.report.histogram import Panel, panels
from hil.report.timeline_chart import Timeline, timeline

_MOST_MEASUREMENTS: Final = 30
"""With more, those that are good are folded away."""
_MOST_MOMENTS: Final = 200
_MOST_ATTENTION: Final = 10
_MOST_ROWS: Final = 60
"""Devices drawn in a timeline; where there are more, those without a fault or a recovery come last and are left out."""


@dataclass(frozen=True, slots=True)
class _Judged:
    measurement: Measurement
    gauge: Gauge


@dataclass(frozen=True, slots=True)
class _Section:
    """A scenario as the page shows it. ``shown`` and ``folded`` are its measurements with a limit."""

    anchor: str
    record: ScenarioRecord
    reasons: Sequence[str]
    kept: int
    shown: Sequence[_Judged]
    folded: Sequence[_Judged]
    informing: Sequence[Measurement]
    panels: Sequence[Panel]
    latency_notes: Sequence[str]
    timeline: Timeline | None
    rows_left_out: int
    moments: Sequence[TimelineEntry]
    moments_left_out: int


def html_page(record: RunRecord, comparison: Comparison | None = None) -> str:
    """The whole page, with the comparison if there is one. Whatever text the record holds is shown as text."""
    sections = list(_sections(record))
    bad = [section for section in sections if not section.record.verdict.good]
    bad.sort(key=lambda section: -section.record.verdict.rank)
    page = _template().render(
        run=record,
        started=_when(record.started),
        headline=formatting.headline(record),
        tally=formatting.tally(record),
        sections=sections,
        attention=bad[:_MOST_ATTENTION],
        attention_left_out=len(bad[_MOST_ATTENTION:]),
        some_good=0 < len(bad) < len(sections),
        comparison=comparison,
        compared_with=_when(comparison.old.started) if comparison else "",
        comparison_rule=baseline.rule(),
        verdicts=list(Verdict),
        corrected=any(latency.corrected for scenario in record.scenarios for latency in scenario.latencies),
        has_latencies=any(scenario.latencies for scenario in record.scenarios),
    )
    return page.encode(errors="replace").decode()  # half a surrogate pair, which JSON can hold, is no text


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
        "count": formatting.count,
        "duration_s": formatting.duration_s,
        "duration_us": formatting.duration_us,
        "limit": _limit,
        "number": formatting.number,
        "value": formatting.value_words,
        "verdict": formatting.VERDICT_WORDS.__getitem__,
    }
    return environment.get_template("page.html")


def _sections(record: RunRecord) -> Iterator[_Section]:
    for place, scenario in enumerate(record.scenarios, 1):
        judged = []
        for measurement in scenario.measurements:
            drawn = gauge(measurement)
            if drawn is not None:
                judged.append(_Judged(measurement, drawn))
        good = [each for each in judged if each.measurement.verdict is Verdict.PASS]
        fold = len(judged) > _MOST_MEASUREMENTS
        drawn_timeline, left_out = _fitting(timeline(scenario))
        yield _Section(
            anchor=f"scenario-{place}",
            record=scenario,
            reasons=formatting.reasons(scenario),
            kept=sum(each.measurement.verdict in (Verdict.PASS, Verdict.MARGINAL) for each in judged),
            shown=[each for each in judged if each not in good] if fold else judged,
            folded=good if fold else [],
            informing=[each for each in scenario.measurements if each.limit is None],
            panels=panels(scenario.latencies),
            latency_notes=_latency_notes(scenario.latencies),
            timeline=drawn_timeline,
            rows_left_out=left_out,
            moments=sorted(scenario.timeline, key=lambda moment: moment.at_s)[:_MOST_MOMENTS],
            moments_left_out=len(scenario.timeline[_MOST_MOMENTS:]),
        )


def _fitting(drawn: Timeline | None) -> tuple[Timeline | None, int]:
    """The timeline with as many rows as a page bears, and how many that leaves out."""
    if drawn is None or len(drawn.rows) <= _MOST_ROWS:
        return drawn, 0
    eventful = [row for row in drawn.rows if row.faults or row.recoveries]
    quiet = [row for row in drawn.rows if not (row.faults or row.recoveries)]
    chosen = [*eventful, *quiet][:_MOST_ROWS]
    rows = tuple(row for row in drawn.rows if row in chosen)
    return Timeline(rows, drawn.by_device, drawn.ticks), len(drawn.rows) - len(rows)


def _latency_notes(latencies: Sequence[Latency]) -> list[str]:
    """What must be known of the times measured with the daemon, each said once and of which stages it holds."""
    measured = [latency for latency in latencies if not latency.floor]
    notes: dict[str, list[str]] = {}
    for latency in measured:
        if latency.corrected:
            notes.setdefault("Corrected for coordinated omission", []).append(latency.stage)
        if latency.uncertainty_us is not None:
            unsure = formatting.duration_us(latency.uncertainty_us)
            notes.setdefault(f"Uncertain by ±{unsure}, as its ends have no clock in common", []).append(latency.stage)
    return [
        f"{note}: {'every stage' if len(stages) == len(measured) > 1 else '; '.join(stages)}."
        for note, stages in notes.items()
    ]


def _limit(measurement: Measurement) -> str:
    assert measurement.limit is not None
    return formatting.limit_words(measurement.limit, measurement.unit if measurement.value is None else "")


def _when(started: str) -> str:
    """A time of a record as people write it; as it stands if it is none."""
    try:
        moment = datetime.fromisoformat(started)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return started
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"

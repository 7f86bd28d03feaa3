"""The report of a run as text: a table of the scenarios, the reasons for bad verdicts, and the comparison."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hil.limits import Verdict
from hil.record import RunRecord
from hil.report.baseline import Change, Comparison
from hil.report.change_rule import rule
from hil.report.formatting import VERDICT_WORDS, duration_s, headline, reasons
from stinger.cli.streams import unguarded
from stinger.wording import counted, printable

_STYLES: Final = {
    Verdict.SKIPPED: "dim",
    Verdict.PASS: "green",
    Verdict.MARGINAL: "yellow",
    Verdict.INCONCLUSIVE: "magenta",
    Verdict.UNSET: "bold red",
    Verdict.FAIL: "bold red",
}
_PLAIN_WIDTH: Final = 10_000
"""Wide enough that no line is wrapped, for output to a file."""
_MAX_REASONS: Final = 12
_MAX_CHANGES: Final = 40


def print_report(record: RunRecord, comparison: Comparison | None = None, *, console: Console | None = None) -> None:
    """Print the report: coloured and wrapped on a terminal, otherwise plain, one line per row."""
    console = Console(file=unguarded(sys.stdout), highlight=False) if console is None else console
    if console.is_terminal:
        _print(record, comparison, console)
    else:
        console.file.write(plain_report(record, comparison, encoding=console.encoding))


def plain_report(record: RunRecord, comparison: Comparison | None = None, *, encoding: str = "utf-8") -> str:
    """Return the report as plain lines; characters that ``encoding`` lacks are replaced."""
    buffer = io.StringIO()
    _print(record, comparison, Console(file=buffer, width=_PLAIN_WIDTH, color_system=None, highlight=False))
    text = "".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines())
    return text.replace("µ", "u").encode(encoding, "replace").decode(encoding)


def _print(record: RunRecord, comparison: Comparison | None, console: Console) -> None:
    if record.scenarios:
        console.print(_scenarios(record))
        console.print()
    for part in _reasons(record):
        console.print(part)
    if comparison is not None:
        for line in _comparison(comparison):
            console.print(line)
        console.print()
    console.print(
        Text(f"{headline(record)}. Duration: {duration_s(record.duration_s)}.", style=_STYLES[record.verdict])
    )


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold", justify="right" if heading in ("duration", "limits") else "left")
    return table


def _scenarios(record: RunRecord) -> Table:
    table = _table("verdict", "scenario", "limits", "duration", "title")
    for scenario in record.scenarios:
        verdicts = [each.verdict for each in scenario.measurements if each.verdict is not None]
        kept = sum(verdict.good for verdict in verdicts)
        table.add_row(
            Text(VERDICT_WORDS[scenario.verdict], style=_STYLES[scenario.verdict]),
            Text(_line(scenario.name)),
            f"{kept}/{len(verdicts)}" if verdicts else "",
            duration_s(scenario.duration_s),
            Text(_line(scenario.title)),
        )
    return table


def _reasons(record: RunRecord) -> Iterator[Text | Padding]:
    for verdict in reversed(Verdict):
        for scenario in record.scenarios:
            found = reasons(scenario) if scenario.verdict is verdict else []
            if not found or verdict is Verdict.PASS:
                continue
            yield Text.assemble((_line(scenario.name), "bold"), " ", (VERDICT_WORDS[verdict], _STYLES[verdict]))
            more = [f"and {len(found) - _MAX_REASONS:,} more"] if len(found) > _MAX_REASONS + 1 else []
            for line in [*(found[:_MAX_REASONS] if more else found), *more]:
                yield Padding(Text(_line(line)), (0, 0, 0, 2))
            yield Text()


def _comparison(comparison: Comparison) -> Iterator[Text | Padding | Table]:
    old = comparison.old
    yield Text(f"Compared with {comparison.name} of {old.started}", style="bold")
    yield Padding(Text(rule(), style="dim"), (0, 0, 0, 2))
    for title, changes in (
        ("Different conditions", comparison.conditions),
        ("Worse", comparison.worse),
        ("Better", comparison.better),
    ):
        if changes:
            yield Text(f"{title}: {len(changes)}", style="bold red" if title == "Worse" else "bold")
            yield Padding(_changes(changes[:_MAX_CHANGES]), (0, 0, 0, 2))
            if len(changes) > _MAX_CHANGES:
                yield Text(f"  and {len(changes) - _MAX_CHANGES} more")
    for title, names in (("No longer measured", comparison.missing), ("New", comparison.new)):
        if names:
            yield Text(f"{title}: {', '.join(_line(name) for name in names)}")
    if not comparison.worse:
        yield Text(f"Nothing got worse ({counted(comparison.compared, 'value')} compared).")


def _changes(changes: Sequence[Change]) -> Table:
    fields = [
        (heading, [_line(getattr(change, field)) for change in changes])
        for heading, field in (
            ("scenario", "scenario"),
            ("measurement", "measure"),
            ("before", "before"),
            ("now", "now"),
            ("change", "why"),
        )
    ]
    columns = [(heading, cells) for heading, cells in fields if any(cells)]
    table = _table(*(heading for heading, _ in columns))
    for row in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*(Text(cell) for cell in row))
    return table


def _line(text: str) -> str:
    """Return ``text`` on one line that controls no terminal and keeps its width."""
    return printable(text, instead=" ")

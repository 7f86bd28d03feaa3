"""Options for the report files that 'run' and 'report' share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from hil.record import RunRecord
from hil.report.baseline import compare
from hil.report.html import html_page
from hil.report.junit import junit_xml
from hil.report.text import print_report
from stinger.cli.options import ANY_PATH
from stinger.errors import FileError
from stinger.files import check_output, read_bytes, write_bytes


@dataclass(frozen=True, slots=True)
class Outputs:
    """The report files that a user asked for, and the baseline to compare with."""

    html: str | None
    junit: str | None
    baseline: RunRecord | None
    baseline_name: str

    def write(self, record: RunRecord) -> None:
        """Write each report file, and print the report."""
        comparison = None if self.baseline is None else compare(self.baseline, record, name=self.baseline_name)
        if self.html is not None:
            write_bytes(self.html, html_page(record, comparison).encode())
        if self.junit is not None:
            write_bytes(self.junit, junit_xml(record))
        print_report(record, comparison)
        for path in (self.html, self.junit):
            if path is not None:
                click.echo(f"{path}: written")


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--html``, ``--junit`` and ``--baseline`` to a command, which gets them as ``outputs``.

    Files that cannot be read or written are reported before the command begins.
    """

    @click.option("--html", type=ANY_PATH, help="Write the report as one HTML page.")
    @click.option("--junit", type=ANY_PATH, help="Write the report as JUnit XML, for a CI server.")
    @click.option(
        "--baseline",
        metavar="OLD.json",
        type=ANY_PATH,
        help="Report what got worse or better since this record of an earlier run.",
    )
    @wraps(command)
    def with_outputs(*, html: str | None, junit: str | None, baseline: str | None, **options: Any) -> None:
        for path in (html, junit):
            if path is not None:
                check_output(path)
        old = None if baseline is None else read_record(baseline)
        name = "" if baseline is None else Path(baseline).name
        command(outputs=Outputs(html, junit, old, name), **options)

    return with_outputs


def read_record(path: str) -> RunRecord:
    """Return the record in the file ``path``. Raises :class:`~stinger.errors.InputError` if it holds none."""
    try:
        text = read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise FileError(path, "not a record of 'stinger hil run'", place=f"byte {error.start}") from error
    return RunRecord.from_json(text, name=path)

"""``stinger hil report``."""

from __future__ import annotations

from pathlib import Path

import click

from hil.record import RunRecord
from hil.report.baseline import compare
from hil.report.html import html_page
from hil.report.junit import junit_xml
from hil.report.text import print_report
from stinger.errors import FileError
from stinger.files import check_output, read_bytes, write_bytes


@click.command(short_help="Make reports of a run from its record.")
@click.argument("record", metavar="RECORD.json", type=click.Path())
@click.option("--html", type=click.Path(dir_okay=False), help="Write a page for a browser.")
@click.option("--junit", type=click.Path(dir_okay=False), help="Write JUnit XML, for a CI server.")
@click.option(
    "--baseline", metavar="OLD.json", type=click.Path(), help="Say what got worse or better since this record."
)
def report(*, record: str, html: str | None, junit: str | None, baseline: str | None) -> None:
    """Show how a run of the bench came out, from the RECORD.json that 'stinger hil run' kept.

    The reports are the same that the run itself made. It ends with 0 whatever the verdict was: 'stinger hil run' is what
    fails.
    """
    for path in (html, junit):
        if path is not None:
            check_output(path)
    run = read_record(record)
    comparison = None if baseline is None else compare(read_record(baseline), run, name=Path(baseline).name)
    if html is not None:
        write_bytes(html, html_page(run, comparison).encode())
    if junit is not None:
        write_bytes(junit, junit_xml(run))
    print_report(run, comparison)
    for path in (html, junit):
        if path is not None:
            click.echo(f"{path}: written")


def read_record(path: str) -> RunRecord:
    """The record in the file ``path``. Raises :class:`~stinger.errors.InputError` if there is none."""
    try:
        text = read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise FileError(path, "not a record of 'stinger hil run'", place=f"byte {error.start}") from error
    return RunRecord.from_json(text, name=path)

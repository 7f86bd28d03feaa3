"""``stinger doctor``."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.text import Text

from models.cli.data_options import shared_recordings_option, shared_registry_option
from service.cli.broker_options import broker_options
from service.cli.event_loop import run_on_loop
from service.cli.watch import DATA_DIR_VARIABLE, watched_broker
from service.config.loading import load_config
from service.config.topic_root import TopicRoot
from service.doctor.broker import check_broker
from service.doctor.finding import Finding, Verdict
from service.doctor.installation import check_packages, check_program
from service.doctor.machine import check_data_folder, check_model, check_ports, check_shared_recordings
from service.sources.port_discovery import all_ports, find_blasters
from stinger.cli.streams import unguarded
from stinger.paths import data_dir as data_folder
from stinger.storage_url import StorageUrl
from stinger.wording import printable

_STYLES: Final = {Verdict.GOOD: "bold green", Verdict.NOTE: "bold yellow", Verdict.PROBLEM: "bold red"}
_INDENT: Final = 9
"""Column of the texts, behind the word for the verdict."""
_NARROWEST: Final = 20
_ENDLESS: Final = 100_000


@click.command(short_help="Show what is installed and connected, and what is wrong.")
@broker_options
@shared_recordings_option
@shared_registry_option
@click.pass_context
def doctor(
    context: click.Context,
    /,
    *,
    broker: str,
    topic_root: TopicRoot,
    data_dir: Path | None,
    password_file: Path | None,
    ca_file: Path | None,
    url: str | None,
    registry_url: StorageUrl | None,
) -> None:
    """Check program, packages, blasters, data folder, model, broker and daemon, and show what to do about each problem.

    The exit code is 1 if there is a problem. Nothing is changed, and no port is opened: that would stop a blaster.
    """
    address = watched_broker(broker, password_file, ca_file, os.environ, data_dir)
    folder = data_folder(data_dir or os.environ.get(DATA_DIR_VARIABLE) or None)
    findings = [check_program(), *check_packages(), *check_ports(find_blasters(), all_ports())]
    findings.append(check_data_folder(folder))
    config = load_config(None, os.environ, {"data_dir": str(folder), "recordings": url})
    if config.recordings is not None:
        findings.append(check_shared_recordings(config.recordings))
    findings.append(check_model(folder, registry_url or config.registry))
    for finding in findings:
        _show(finding)
    from_broker: list[Finding] = []

    async def ask_broker() -> None:
        from_broker.extend(await check_broker(address, topic_root))

    run_on_loop(ask_broker())
    for finding in from_broker:
        _show(finding)
    if any(finding.verdict is Verdict.PROBLEM for finding in [*findings, *from_broker]):
        context.exit(1)


def finding_lines(finding: Finding, width: int) -> list[str]:
    """Return the lines that show ``finding`` in ``width`` columns; the first begins with the word of its verdict."""
    first, *further = _wrapped(f"{finding.subject}: {finding.found}", width - _INDENT)
    lines = [f"{finding.verdict.value:{_INDENT}}{first}", *(f"{'':{_INDENT}}{line}" for line in further)]
    if finding.remedy:
        first, *further = _wrapped(finding.remedy, width - _INDENT - 3)
        lines += [f"{'':{_INDENT}}-> {first}", *(f"{'':{_INDENT + 3}}{line}" for line in further)]
    return lines


def _show(finding: Finding) -> None:
    if not sys.stdout.isatty():  # what reads a pipe or a file gets a line for each text
        for line in finding_lines(finding, _ENDLESS):
            click.echo(line)
        return
    console = Console(file=unguarded(sys.stdout), highlight=False)  # click's colours would be escaped
    first, *further = (printable(line) for line in finding_lines(finding, console.width))
    verdict = finding.verdict
    console.print(Text.assemble((verdict.value, _STYLES[verdict]), first[len(verdict.value) :]), soft_wrap=True)
    for line in further:
        console.print(Text(line), soft_wrap=True)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, _NARROWEST), break_long_words=False, break_on_hyphens=False)

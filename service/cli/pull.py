"""``stinger pull``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from service.cli.port_options import port_options, say, talking_to
from service.round_trip.opening import place_of
from service.round_trip.pulling import PulledLog, pull_log
from stinger.cli.progress import progress_bar
from stinger.errors import FileError
from stinger.files import check_output, write_bytes
from stinger.shots import MIN_SHOT_GAP_MS
from stinger.summary import summarise


@click.command(short_help="Fetch a blaster's log.")
@port_options
@click.option(
    "-o",
    "--output",
    default="ml_log.bin",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The file to write.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def pull(port: str | None, baud: int, output: Path, overwrite: bool) -> None:
    """Fetch the log of a blaster, over USB or the network, and write it to a file once it is there whole.

    If it fails half-way, run the same command again: nothing is written before all of it has come, and the blaster keeps
    its log. The blaster's motors rest for as long as it takes.
    """
    if output.exists() and not overwrite:
        raise FileError(output, "is there already: choose another name with -o, or replace it with --overwrite")
    check_output(output)
    with talking_to(place_of(port), baud) as (conversation, _):
        pulled = pull_log(conversation, output, transfer=partial(progress_bar, "Fetching the log"))
    write_bytes(output, pulled.data)
    for line in warnings_of(pulled, output):
        say(f"Warning: {line}")
    click.echo(f"{output}: {describe(pulled)}")


def warnings_of(pulled: PulledLog, path: Path) -> list[str]:
    """What is wrong with a log that was pulled, a line each."""
    if pulled.log is None:
        return [f"{path}: {pulled.damage}: the blaster itself has it so, as it came twice alike"]
    return [f"{path}: {message}" for message in pulled.log.repairs.messages()]


def describe(pulled: PulledLog) -> str:
    """What a log holds, in a line."""
    size = f"{len(pulled.data):,} bytes"
    if pulled.log is None:
        return f"{size}, damaged"
    summary = summarise(pulled.log, min_shot_gap_ms=MIN_SHOT_GAP_MS)
    seconds = summary["duration_s"]
    length = f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds:.1f} seconds"  # noqa: PLR2004
    return f"{size}: {summary['samples']:,} samples, {length}, {summary['shots']['accepted']:,} shots"

"""``stinger pull``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import click

from service.cli.port_options import connect, notify, port_options
from service.round_trip.pulling import PulledLog, pull_log
from stinger.cli.progress import progress_bar
from stinger.errors import FileError
from stinger.files import check_output, write_bytes
from stinger.shots import find_shots

_MINUTE_S: Final = 60.0


@click.command(short_help="Fetch a blaster's log.")
@port_options
@click.option(
    "-o",
    "--output",
    default="ml_log.bin",
    show_default=True,
    type=click.Path(path_type=Path),
    help="File to write.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def pull(port: str | None, baud: int, output: Path, overwrite: bool) -> None:
    """Fetch a blaster's log over USB or the network, and write it to a file once it is complete.

    If the transfer fails, run the same command again: nothing is written before the log is complete, and the blaster
    keeps its log. The blaster's motors are off during the transfer.
    """
    if output.exists() and not overwrite:
        raise FileError(output, "exists already: choose another name with -o, or replace it with --overwrite")
    check_output(output)
    with connect(port, baud) as client:
        pulled = pull_log(client, output, transfer=partial(progress_bar, "Fetching the log"))
    write_bytes(output, pulled.data)
    for line in log_warnings(pulled, output):
        notify(f"Warning: {line}")
    click.echo(f"{output}: {describe_log(pulled)}")


def log_warnings(pulled: PulledLog, path: Path) -> list[str]:
    """Return the problems of a fetched log, one line each."""
    if pulled.log is None:
        return [f"{path}: {pulled.damage}: the log is damaged on the blaster itself, as two transfers were identical"]
    return [f"{path}: {message}" for message in pulled.log.repairs.messages()]


def describe_log(pulled: PulledLog) -> str:
    """Return the contents of a fetched log in one line."""
    size = f"{len(pulled.data):,} bytes"
    if pulled.log is None:
        return f"{size}, damaged"
    recorded_s = sum(recording.recorded_ms for recording in pulled.log.recordings) / 1000
    length = f"{recorded_s / 60:.1f} minutes" if recorded_s >= _MINUTE_S else f"{recorded_s:.1f} seconds"
    shots = sum(int(find_shots(recording).accepted.sum()) for recording in pulled.log.recordings)
    return f"{size}: {pulled.log.samples.shape[0]:,} samples, {length}, {shots:,} shots"

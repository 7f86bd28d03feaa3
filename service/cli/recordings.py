"""``stinger recordings``: lists the daemon's recordings, marks and packs them, and deletes old ones."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import Any

import click

from models.cli.data_options import data_dir_option, shared_recordings_option
from models.shared_registry import open_current_registry
from service.cli.bundle import bundle
from service.cli.mark import mark
from service.cli.shared_list import list_shared_recordings
from service.config.loading import load_config
from service.recording.age_clock import AGE_CLOCK_NAME, AgeClock
from service.recording.retention import Pruned, Retention, limits_of
from service.recording.store import StoredRecording, read_store
from service.recording.upload_journal import JOURNAL_NAME, UploadJournal
from stinger.cli.group import SuggestingGroup
from stinger.cli.options import ANY_PATH, json_option
from stinger.errors import InputError
from stinger.paths import recordings_dir
from stinger.quantities import size_text
from stinger.utc import utc_time


@click.group(cls=SuggestingGroup, short_help="List, mark, pack and delete recordings.")
def recordings() -> None:
    """List the daemon's recordings, mark what training must not use, pack them to pass on, and delete old ones.

    A daemon with --keep or --keep-size deletes old recordings by itself, every hour.
    """


recordings.add_command(bundle)
recordings.add_command(mark)


@recordings.command("list", short_help="List the recordings.")
@data_dir_option
@shared_recordings_option
@json_option
def list_recordings(data_dir: str | None, url: str | None, as_json: bool) -> None:
    """List the recordings, the oldest first. A star marks a recording that is still open."""
    config = load_config(None, os.environ, {"data_dir": data_dir, "recordings": url})
    if config.recordings is not None:
        list_shared_recordings(config.recordings, as_json=as_json)
        return
    folder = recordings_dir(config.data_dir)
    store = read_store(folder)
    _warn(store.problems)
    if as_json:
        click.echo(json.dumps([_row(recording) for recording in store.recordings], indent=2))
        return
    for recording in store.recordings:
        click.echo(f"{' ' if recording.closed else '*'} {_line(recording)}{_marked(recording)}")
    click.echo(f"{len(store.recordings)} recordings, {size_text(store.bytes)}, in {folder}.")


@recordings.command("prune", short_help="Delete old recordings.")
@data_dir_option
@click.option("--keep", metavar="TIME", help="Delete recordings that ended longer ago, such as 30d or 12h.")
@click.option("--keep-size", metavar="SIZE", help="Delete the oldest recordings until the rest fits, such as 10GB.")
@click.option(
    "--even-trained", is_flag=True, help="Also delete recordings that a model in the registry was trained or tested on."
)
@click.option(
    "--trust-clock", is_flag=True, help="Delete by age even if the clock has jumped ahead: the time is right."
)
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@click.option(
    "--config",
    "config_file",
    type=ANY_PATH,
    metavar="FILE",
    help="The daemon's TOML file, for options that are not given.",
)
@json_option
def prune(
    *,
    data_dir: str | None,
    keep: str | None,
    keep_size: str | None,
    even_trained: bool,
    trust_clock: bool,
    dry_run: bool,
    config_file: str | None,
    as_json: bool,
) -> None:
    """Delete recordings that are older than --keep, and the oldest ones while all exceed --keep-size.

    \b
    stinger recordings prune --keep 30d --dry-run
    stinger recordings prune --keep-size 10GB

    It never deletes the newest recording of a device, a recording that is still open, one that a model in the
    registry was trained or tested on, or, if the daemon uploads recordings, one that is not uploaded yet. If the clock
    has jumped ahead by more than two days, recordings are deleted by age only after it has run on for a day. A daemon
    may run meanwhile.
    """  # noqa: D301 - click needs the backspace itself
    given = {"data_dir": data_dir, "recorder.keep": keep, "recorder.keep_size": keep_size}
    config = load_config(config_file, os.environ, given | ({"recorder.keep_trained": False} if even_trained else {}))
    limits = limits_of(config.recorder)
    if limits.keep_s is None and limits.keep_bytes is None:
        raise InputError("no limit is set: give --keep or --keep-size")
    clock = AgeClock(config.data_dir / AGE_CLOCK_NAME)
    if trust_clock and not dry_run:
        clock.trust(time.time())
    retention = Retention(
        recordings_dir(config.data_dir),
        open_current_registry(config.data_dir, config.registry),
        clock=None if trust_clock else clock,
        uploads=None if config.recordings is None else UploadJournal(config.data_dir / JOURNAL_NAME, config.recordings),
    )
    pruned = retention.prune(limits, dry_run=dry_run)
    _warn(pruned.problems)
    if as_json:
        click.echo(json.dumps(_document(pruned, dry_run), indent=2))
    else:
        for recording in pruned.deleted:
            click.echo(f"{'would delete' if dry_run else 'deleted'} {_line(recording)}")
        for recording in pruned.kept_for_models:
            click.echo(f"kept for a model {_line(recording)}")
        for recording in pruned.kept_for_upload:
            click.echo(f"kept until it is uploaded {_line(recording)}")
        click.echo(
            f"{len(pruned.deleted)} {'would be ' if dry_run else ''}deleted ({size_text(pruned.deleted_bytes)}); "
            f"{pruned.left} left ({size_text(pruned.left_bytes)})."
        )
    if pruned.problems:
        raise InputError("some files could not be read or deleted: see the warnings above")


def _warn(problems: Sequence[str]) -> None:
    for problem in problems:
        click.echo(f"Warning: {problem}", err=True)


def _document(pruned: Pruned, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "deleted": [_row(recording) for recording in pruned.deleted],
        "kept_for_a_model": [_row(recording) for recording in pruned.kept_for_models],
        "kept_for_upload": [_row(recording) for recording in pruned.kept_for_upload],
        "left": pruned.left,
        "left_bytes": pruned.left_bytes,
        "problems": list(pruned.problems),
    }


def _row(recording: StoredRecording) -> dict[str, Any]:
    return {
        "device": recording.device,
        "path": str(recording.path),
        "bytes": recording.bytes,
        "ended": _time(recording),
        "closed": recording.closed,
        "marks": [] if recording.sidecar is None else [marks.to_json() for marks in recording.sidecar.marks],
    }


def _line(recording: StoredRecording) -> str:
    return f"{_time(recording)} {size_text(recording.bytes):>9}  {recording.device}/{recording.path.name}"


def _marked(recording: StoredRecording) -> str:
    marks = [marks.text() for marks in recording.sidecar.marks if marks] if recording.sidecar else []
    return f"  ({'; '.join(marks)})" if marks else ""


def _time(recording: StoredRecording) -> str:
    return f"{utc_time(recording.ended_s):%Y-%m-%dT%H:%M:%SZ}"

"""``stinger recordings list --recordings URL``: lists the recordings of all daemons in shared storage."""

from __future__ import annotations

import json
from typing import Any

import click

from models.storage.folder import StorageFolder
from models.storage.shared_recordings import SharedRecording, list_shared_files
from stinger.cli.repairs import warn
from stinger.quantities import size_text
from stinger.recording_name import stem_time
from stinger.storage_url import StorageUrl
from stinger.wording import counted


def list_shared_recordings(url: StorageUrl, *, as_json: bool) -> None:
    """Print the recordings below ``url``, the oldest first; nothing is downloaded."""
    files = list_shared_files(StorageFolder(url))
    for line in files.warnings():
        warn(line)
    recordings = sorted(files.recordings, key=lambda one: (one.stem, one.samples.name))
    if as_json:
        click.echo(json.dumps([_row(url, one) for one in recordings], indent=2))
        return
    for one in recordings:
        click.echo(f"{_started(one)} {size_text(_bytes(one)):>9}  {one.samples.name}")
    click.echo(f"{counted(len(recordings), 'recording')}, {size_text(sum(map(_bytes, recordings)))}, in {url}.")


def _row(url: StorageUrl, recording: SharedRecording) -> dict[str, Any]:
    return {
        "device": recording.device,
        "daemon": recording.daemon,
        "url": (url / recording.samples.name).text,
        "bytes": _bytes(recording),
        "started": _started(recording),
    }


def _bytes(recording: SharedRecording) -> int:
    return recording.samples.size + recording.sidecar.size


def _started(recording: SharedRecording) -> str:
    started = stem_time(recording.stem)
    return "" if started is None else f"{started:%Y-%m-%dT%H:%M:%SZ}"

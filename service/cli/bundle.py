"""``stinger recordings bundle``: packs recordings into one file to pass on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import click

from models.cli.data_options import data_dir_option, shared_recordings_option
from models.storage.folder import StorageFolder
from models.storage.shared_recordings import fetch_recordings, list_shared_files
from service.config.loading import load_config
from service.recording.sidecar import Sidecar
from service.recording.store import StoredRecording, find_sidecar, read_store
from stinger.cli.options import ANY_PATH, json_option
from stinger.cli.progress import progress_bar
from stinger.cli.repairs import warn
from stinger.errors import FileError, InputError
from stinger.files import atomic_output
from stinger.logs import read_log, read_marked_log
from stinger.logs.bundle import (
    RECORDINGS_MAX,
    SAMPLES_MAX,
    BundledRecording,
    BundleWriter,
    describe_recording,
    relative_samples,
)
from stinger.paths import recordings_dir
from stinger.quantities import parse_duration, size_text
from stinger.recording import Recording
from stinger.recording_name import stem_time
from stinger.sample import SAMPLE_RATE_HZ
from stinger.storage_url import StorageUrl
from stinger.wording import counted

_SAMPLES_MIN: Final = 2 * SAMPLE_RATE_HZ
"""A shorter recording is left out: nothing can be learned from it."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A file to pack: a recording of the daemon, with its notes, or a log."""

    path: Path
    notes: tuple[str, ...] = ()
    is_own: bool = False
    """Whether it is a recording of the daemon: a damaged one is left out, a damaged log is an error."""


@dataclass(frozen=True, slots=True)
class _Packed:
    """One recording of a file, as it will be in the bundle."""

    source: _Source
    position: int
    """Its index among the recordings of its file."""
    sha256: str
    line: BundledRecording


@click.command("bundle", short_help="Pack recordings into one file to pass on.")
@click.argument("devices", metavar="[DEVICE]...", nargs=-1)
@click.option(
    "-o", "--out", type=ANY_PATH, required=True, metavar="FILE", help="The bundle to write, such as mine.zip."
)
@click.option(
    "--since", metavar="TIME", help="Only recordings that began since then: 2026-01-31, or 30d for 30 days ago."
)
@click.option("--log", "logs", multiple=True, type=ANY_PATH, metavar="FILE", help="Also pack this log; repeatable.")
@click.option("--with-notes", is_flag=True, help="Also pack the texts of notes, which may hold names and dates.")
@data_dir_option
@shared_recordings_option
@json_option
def bundle(
    *,
    devices: tuple[str, ...],
    out: str,
    since: str | None,
    logs: tuple[str, ...],
    with_notes: bool,
    data_dir: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Pack recordings of DEVICE, or of all devices, into one file that others can train on.

    \b
    stinger recordings bundle -o mine.zip
    stinger recordings bundle -o mine.zip blaster-1 --since 30d
    stinger recordings bundle -o mine.zip --log ml_log.bin

    The bundle holds samples with their triggers, times since the start of each recording, and the marks of 'stinger
    recordings mark', so that training on it leaves out the same stretches. It holds no names of devices or files and no
    dates; the order of recordings does not show when they were made. Every command that reads
    recordings accepts it, such as stinger info mine.zip.
    """  # noqa: D301 - click needs the backspace itself
    config = load_config(None, os.environ, {"data_dir": data_dir, "recordings": url})
    folder = config.recordings or recordings_dir(config.data_dir)
    since_s = None if since is None else _parse_since(since)
    if isinstance(folder, StorageUrl):
        sources = _shared_sources(folder, devices, since_s, with_notes=with_notes)
    else:
        sources = _stored_sources(folder, devices, since_s, with_notes=with_notes)
    sources += [_Source(Path(log)) for log in logs]
    warnings: list[str] = []
    with progress_bar("Reading", len(sources)) as progress:
        packed = _read(sources, warnings, progress)
    for line in warnings:
        warn(line)
    _check(packed, folder)
    with progress_bar("Packing", len(packed)) as progress:
        _write(out, packed, progress)
    samples, shots = sum(one.line.samples for one in packed), sum(one.line.shots for one in packed)
    if as_json:
        values = {"path": out, "recordings": len(packed), "samples": samples, "shots": shots, "warnings": warnings}
        click.echo(json.dumps(values, indent=2))
        return
    click.echo(
        f"{out}: {counted(len(packed), 'recording')}, {samples / SAMPLE_RATE_HZ / 60:.1f} min, "
        f"{counted(shots, 'trigger edge')}, {size_text(Path(out).stat().st_size)}"
    )


def _parse_since(text: str) -> float:
    """Return ``text``, a date in UTC or a duration before now, as Unix time. Raises :class:`InputError`."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        pass
    try:
        return time.time() - parse_duration(text).seconds
    except InputError as error:
        raise InputError(
            f"--since: expected a date such as 2026-01-31, or a duration such as 30d, not '{text}'"
        ) from error


def _stored_sources(folder: Path, devices: Sequence[str], since_s: float | None, *, with_notes: bool) -> list[_Source]:
    """Return the recordings below ``folder`` that are asked for."""
    store = read_store(folder)
    for problem in store.problems:
        warn(problem)
    _check_devices(devices, {recording.device for recording in store.recordings}, folder)
    return [
        _Source(recording.path, _notes_of(recording.sidecar) if with_notes else (), is_own=True)
        for recording in store.recordings
        if (not devices or recording.device in devices) and (since_s is None or _started_s(recording) >= since_s)
    ]


def _shared_sources(
    url: StorageUrl, devices: Sequence[str], since_s: float | None, *, with_notes: bool
) -> list[_Source]:
    """Return the recordings in shared storage that are asked for."""
    folder = StorageFolder(url)
    files = list_shared_files(folder)
    for line in files.warnings():
        warn(line)
    _check_devices(devices, {recording.device for recording in files.recordings}, url)
    wanted = [
        recording
        for recording in files.recordings
        if (not devices or recording.device in devices)
        and (since_s is None or (started := stem_time(recording.stem)) is None or started.timestamp() >= since_s)
    ]
    copies = fetch_recordings(folder, wanted, progress_bar, warn)
    return [_Source(path, _notes_of(find_sidecar(path)) if with_notes else (), is_own=True) for path in copies]


def _check_devices(devices: Sequence[str], there: Collection[str], where: Path | StorageUrl) -> None:
    for device in devices:
        if device not in there:
            known = f"there are {', '.join(sorted(there))}" if there else "there are none at all"
            raise InputError(f"no recordings of '{device}' in {where}: {known}")


def _started_s(recording: StoredRecording) -> float:
    started = stem_time(recording.path.stem)
    return recording.ended_s if started is None else started.timestamp()


def _notes_of(sidecar: Sidecar | None) -> tuple[str, ...]:
    return () if sidecar is None else tuple(note.text for note in sidecar.notes)


def _read(sources: Sequence[_Source], warnings: list[str], progress: Callable[[int], object]) -> list[_Packed]:
    """Read all ``sources`` once; return what to pack, in an order that depends on the samples only."""
    packed: dict[str, _Packed] = {}
    short = 0
    for source in sources:
        try:
            log = read_marked_log(source.path)
        except FileError as error:
            if not source.is_own:
                raise
            warnings.append(f"left out: {error}")
            progress(1)
            continue
        for position, recording in enumerate(log.recordings):
            if len(recording) < _SAMPLES_MIN:
                short += 1
                continue
            digest = sha256(relative_samples(recording).tobytes()).hexdigest()
            line = describe_recording(recording, log.marks_of(position), source.notes)
            same = packed.setdefault(digest, _Packed(source, position, digest, line))
            if same.line.marks != line.marks:
                packed[digest] = replace(same, line=replace(same.line, marks=same.line.marks.union(line.marks)))
        progress(1)
    if short:
        warnings.append(f"left out: {counted(short, 'recording')} of less than {_SAMPLES_MIN // SAMPLE_RATE_HZ} s")
    return [packed[digest] for digest in sorted(packed)]


def _check(packed: Sequence[_Packed], folder: Path | StorageUrl) -> None:
    """Raise :class:`InputError` if there is nothing to pack, or more than a bundle may hold."""
    if not packed:
        raise InputError(f"there is nothing to pack: no recordings in {folder} that fit, and no --log with any")
    samples = sum(one.line.samples for one in packed)
    if samples > SAMPLES_MAX or len(packed) > RECORDINGS_MAX:
        raise InputError(
            f"{counted(len(packed), 'recording')} of {samples / SAMPLE_RATE_HZ / 3600:.0f} hours are more than a bundle "
            f"may hold ({RECORDINGS_MAX:,}, {SAMPLES_MAX // SAMPLE_RATE_HZ // 3600} hours): choose by DEVICE and --since"
        )


def _write(out: str, packed: Sequence[_Packed], progress: Callable[[int], object]) -> None:
    """Write the bundle; each file is read again, so that no more than one is in memory."""
    with atomic_output(out) as file:
        writer = BundleWriter(file, [one.line for one in packed])
        for one in packed:
            writer.add(relative_samples(_reread(one))[: one.line.samples])
            progress(1)
        writer.close()


def _reread(one: _Packed) -> Recording:
    recordings = read_log(one.source.path).recordings
    # A recording may have grown since, but not become shorter.
    if one.position >= len(recordings) or len(recordings[one.position]) < one.line.samples:
        raise FileError(one.source.path, "was changed or deleted while it was read: try again")
    return recordings[one.position]

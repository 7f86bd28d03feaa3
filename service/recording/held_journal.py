"""A journal of samples that wait for a file of their own: a daemon that is killed meanwhile loses none of them.

It is one file for all devices, so that writing to it costs little where a file for each would hold up scoring. An entry
is a header, the device's name and whole records, with a checksum. An entry without records marks that all earlier ones
of its device are recorded. When nothing waits any more, the file is emptied.
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Final

from service.base.logs import RepeatedFailure, get_logger
from service.base.source import Block
from service.recording.sidecar import Sidecar
from service.recording.store import device_folder, recording_paths
from stinger.device_name import DeviceName, parse_device_name
from stinger.errors import FileError, InputError, StingerError
from stinger.files import StrPath, os_errors, read_bytes, regular_opener, write_bytes
from stinger.logs.marked import sidecar_path
from stinger.recording_name import RECORDING_SUFFIX
from stinger.sample import SAMPLE_BYTES
from stinger.units import NS_PER_S
from stinger.utc import utc_text

HELD_JOURNAL_NAME: Final = "held-samples"
_HEADER: Final = Struct("<4sIIIqqd")
"""Magic, checksum of all that follows it, length of the name, number of samples, boot, zero of the clock in ms, Unix
time in s."""
_CHECKED_FROM: Final = 8
_MAGIC: Final = b"HELD"
_MAX_BYTES: Final = 64_000_000
_NEWEST: Final = 3
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
_LOG: Final = get_logger(__name__)


class HeldJournal:
    """Writes the journal ``path``. A disk that refuses is logged once; the samples then wait in memory only.

    For the thread of the recorder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._bytes = 0
        self._failure = RepeatedFailure(_LOG, "held_samples_not_written")

    def add(self, block: Block) -> None:
        """Write the samples of ``block``."""
        taken_s = block.taken_ns[0] / NS_PER_S + block.unix_offset_s
        self._write(_entry(block.device, block.samples.tobytes(), block.boot, block.clock_zero_ms, float(taken_s)))

    def recorded(self, device: DeviceName) -> None:
        """Mark that what was written of ``device`` is recorded."""
        if self._bytes:
            self._write(_entry(device, b"", 0, 0, 0.0))

    def clear(self) -> None:
        """Empty the journal: nothing waits any more."""
        if self._bytes:
            self._bytes = 0
            try:
                os.ftruncate(self._fd, 0)
            except OSError as error:
                self._failure.log(str(error), path=self._path)

    def close(self) -> None:
        """Close the file; a second call has no effect."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _write(self, entry: bytes) -> None:
        if self._bytes + len(entry) > _MAX_BYTES:
            return
        try:
            if self._fd < 0:
                self._fd = regular_opener(self._path, _FLAGS)
            written = os.write(self._fd, entry)
            if written == len(entry):
                self._bytes += written
            else:  # the next entry would not be found behind a part of this one
                os.ftruncate(self._fd, self._bytes)
                self._failure.log(os.strerror(errno.ENOSPC), path=self._path)
        except OSError as error:
            self._failure.log(str(error), path=self._path)


@dataclass(frozen=True, slots=True)
class HeldSamples:
    """Samples of one boot of a device that a killed daemon had not recorded: whole ``records``."""

    device: DeviceName
    boot: int
    clock_zero_ms: int
    started_s: float
    records: bytes


def restore_held(path: StrPath, recordings: Path) -> int:
    """Make recordings of what the journal ``path`` holds, and delete it.

    The recordings are left open. Returns the number of samples. Call this while no recorder uses the folder, before
    what is open is recovered. Raises :class:`FileError`, and leaves the journal, if a recording cannot be written.
    """
    restored = 0
    for held in read_held(path):
        folder = device_folder(recordings, held.device)
        if not _is_recorded(folder, held.records):
            _write_recording(folder, held)
            restored += len(held.records) // SAMPLE_BYTES
    with os_errors(path):
        Path(path).unlink(missing_ok=True)
    return restored


def restore_or_warn(path: StrPath, recordings: Path) -> None:
    """Restore as :func:`restore_held` does; log what was restored, or why it was not."""
    try:
        restored = restore_held(path, recordings)
    except StingerError as error:
        _LOG.warning("held_samples_not_restored", reason=error)
    else:
        if restored:
            _LOG.info("held_samples_restored", samples=restored)


def read_held(path: StrPath) -> list[HeldSamples]:
    """Return what the journal ``path`` holds that was not recorded; nothing if there is none.

    Raises :class:`FileError`.
    """
    try:
        data = read_bytes(path, at_most=_MAX_BYTES)
    except FileError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return []
        raise
    waiting: dict[DeviceName, dict[int, HeldSamples]] = {}
    for entry in _entries(data):
        if not entry.records:
            waiting.pop(entry.device, None)
            continue
        boots = waiting.setdefault(entry.device, {})
        first = boots.get(entry.boot, entry)
        records = entry.records if first is entry else first.records + entry.records
        boots[entry.boot] = HeldSamples(entry.device, entry.boot, first.clock_zero_ms, first.started_s, records)
    return [held for boots in waiting.values() for held in boots.values()]


def _entry(device: DeviceName, records: bytes, boot: int, clock_zero_ms: int, started_s: float) -> bytes:
    name = device.encode()
    count = len(records) // SAMPLE_BYTES
    unchecked = _HEADER.pack(_MAGIC, 0, len(name), count, boot, clock_zero_ms, started_s) + name + records
    checksum = zlib.crc32(unchecked[_CHECKED_FROM:])
    return _MAGIC + checksum.to_bytes(4, "little") + unchecked[_CHECKED_FROM:]


def _entries(data: bytes) -> Iterator[HeldSamples]:
    """Yield the entries in ``data`` up to the first that is torn or damaged."""
    at = 0
    while at + _HEADER.size <= len(data):
        magic, checksum, name_bytes, count, boot, zero_ms, started_s = _HEADER.unpack_from(data, at)
        records_at = at + _HEADER.size + name_bytes
        end = records_at + count * SAMPLE_BYTES
        if magic != _MAGIC or end > len(data) or zlib.crc32(data[at + _CHECKED_FROM : end]) != checksum:
            return
        try:
            device = parse_device_name(data[at + _HEADER.size : records_at].decode(errors="replace"))
        except InputError:
            return
        yield HeldSamples(device, boot, zero_ms, started_s, data[records_at:end])
        at = end


def _is_recorded(folder: Path, records: bytes) -> bool:
    """Return whether a recording begins with ``records``: it was written, but not marked in the journal before the kill."""
    with os_errors(folder):
        found = sorted(folder.glob(f"*{RECORDING_SUFFIX}"))[-_NEWEST:] if folder.is_dir() else []
    try:
        return any(read_bytes(path).startswith(records) for path in found)
    except StingerError:
        return False


def _write_recording(folder: Path, held: HeldSamples) -> None:
    path = next(path for path in recording_paths(folder, held.started_s) if not path.exists())
    sidecar = Sidecar(held.device, utc_text(held.started_s), boot=held.boot, clock_zero_ms=held.clock_zero_ms)
    with os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_bytes(sidecar_path(path), sidecar.to_json())
    write_bytes(path, held.records)

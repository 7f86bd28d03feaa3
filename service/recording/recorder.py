"""Keeps every sample that comes, for training: a file for each device and boot, whatever happens to disk or process."""

from __future__ import annotations

import errno
import shutil
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from service.base.note import NoteText, parse_note
from service.base.source import Block
from service.base.states import RecorderStats
from service.recording.device_recording import Track
from service.recording.disk_alarm import DiskAlarm, RecorderAlarm
from service.recording.keeper import RecordingKeeper
from service.recording.recording_file import RecordingFile, TornError
from service.recording.sidecar import Note, device_folder, utc_text
from stinger.device_name import DeviceName
from stinger.errors import InputError
from stinger.files import StrPath
from stinger.recording import GAP_MS
from stinger.sample import SAMPLE_BYTES

MAX_FILE_BYTES: Final = 64_000_000
KEEP_FREE_BYTES: Final = 16_000_000
# A command over the network can ask for notes without end.
_MAX_NOTES: Final = 1000

_LEAST_ROOM: Final = 65_536
_QUOTA: Final = getattr(errno, "EDQUOT", errno.ENOSPC)
_first_u32 = struct.Struct("<I").unpack_from


class Recorder:
    """Appends the blocks of every device to ``folder/<device>/<UTC time>.bin``, and describes each file in a sidecar.

    :meth:`append` writes at once and unbuffered, so that a killed process loses nothing, and never raises for trouble
    with the disk: ``on_alarm`` is told, samples are counted as lost, and every ``retry_s`` it is tried again. Every
    ``sync_interval_s`` a thread forces the files to the disk. Recording rests while less than ``keep_free_bytes`` are
    free, so that others find room. Of more than ``max_open_files`` files the one that rested longest is closed.

    All methods, and ``on_alarm``, run in the thread of the caller; none but :meth:`flush` and :meth:`close` waits for the
    disk. ``folder`` and what is in it is made when there is something to record; one process at a time may use it.
    """

    def __init__(
        self,
        folder: StrPath,
        *,
        recording: bool = True,
        sync_interval_s: float = 5.0,
        max_file_bytes: int = MAX_FILE_BYTES,
        keep_free_bytes: int = KEEP_FREE_BYTES,
        max_open_files: int = 4096,
        retry_s: float = 2.0,
        on_alarm: Callable[[RecorderAlarm], None] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self._recording = recording
        self._max_bytes = max_file_bytes
        self._max_open = max_open_files
        self._keep_free = keep_free_bytes
        self._retry_s = retry_s
        self._tracks: dict[DeviceName, Track] = {}
        self._keeper = RecordingKeeper(self.folder, sync_interval_s=sync_interval_s, keep_free_bytes=keep_free_bytes)
        self._samples = self._bytes = self._lost = self._errors = self._files = self._open = 0
        self._alarm = DiskAlarm(on_alarm)
        self._closed = False

    def append(self, block: Block) -> int:
        """Write the samples of ``block``; return how many are in the file: fewer where the disk refused, 0 if switched off."""
        records = block.samples.tobytes()
        count = len(records) // SAMPLE_BYTES
        if not count:
            return 0
        track = self._tracks.get(block.device)
        first_ms = _first_u32(records)[0]
        if (
            track is None
            or (file := track.file) is None
            or block.boot != track.boot
            or first_ms < track.last_ms
            or file.bytes + len(records) > self._max_bytes
            or self._keeper.notice
        ):
            prepared = self._prepare(block, first_ms, len(records))
            if prepared is None:
                return 0
            track, file = prepared
        before = file.bytes
        try:
            file.write(records)
        except (OSError, TornError) as error:
            count = (file.bytes - before) // SAMPLE_BYTES
            self._lose(track, len(records) // SAMPLE_BYTES - count)
            self._refused(track, error)
            if not count:
                return 0
        else:
            if track.retry_s:
                self._goes_on(track)
        if before and first_ms - track.last_ms > GAP_MS:
            track.gaps += 1
        track.last_ms = first_ms
        if count > 1:
            track.went_on(block.samples[:count])
        track.read_ns = block.read_ns
        self._samples += count
        self._bytes += count * SAMPLE_BYTES
        return count

    def start(self, device: DeviceName) -> None:
        """Record ``device`` from its next block on."""
        self._known(device).recording = True

    def stop(self, device: DeviceName) -> None:
        """Close the recording of ``device`` and make none until :meth:`start`."""
        track = self._known(device)
        track.recording = False
        self._end_file(track, "command")
        self._forget_trouble(track)

    def new_file(self, device: DeviceName) -> None:
        """Close the recording of ``device``; its next block begins another."""
        self._end_file(self._known(device), "command")

    def note(self, device: DeviceName, text: NoteText) -> None:
        """Keep ``text`` with the recording of ``device``, or with its next one.

        Raises :class:`InputError` where the recording has too many notes.
        """
        track = self._known(device)
        note = Note(utc_text(time.time()), text)
        file = track.current
        if len(track.notes if file is None else file.sidecar.notes) >= _MAX_NOTES:
            raise InputError(f"the recording of {device} has {_MAX_NOTES:,} notes: no room for more")
        if file is None:
            track.notes += (note,)
            return
        file.sidecar = replace(file.sidecar, notes=(*file.sidecar.notes, note))
        self._keeper.save(file.sidecar_path, track.described(file))

    def describe(self, device: DeviceName, *, firmware: str | None = None, model: str | None = None) -> None:
        """Have the sidecars of ``device`` name its firmware and the model; what is ``None`` stays as it was.

        Another model than the one that the current recording began with is noted in it.
        """
        track = self._known(device)
        changed = track.model is not None and model is not None and model != track.model
        file = track.current
        if track.learn(firmware=firmware, model=model) and file:
            self._keeper.save(file.sidecar_path, track.described(file))
        if changed and file:
            with suppress(InputError):
                self.note(device, parse_note(f"model {model}"))

    def is_recording(self, device: DeviceName) -> bool:
        """Whether the next sample of ``device`` will be recorded if the disk takes it."""
        track = self._tracks.get(device)
        return self._recording if track is None else track.recording

    def goes_on(self, block: Block) -> bool:
        """Whether ``block`` belongs into the file that is open for its device, so that none has to be begun."""
        track = self._tracks.get(block.device)
        return (
            track is not None
            and (file := track.file) is not None
            and block.boot == track.boot
            and int(block.samples["timestamp_ms"][0]) >= track.last_ms
            and file.bytes + block.samples.nbytes <= self._max_bytes
        )

    def current(self, device: DeviceName) -> Path | None:
        """The file that holds the newest samples of ``device``, if it is open."""
        track = self._tracks.get(device)
        return track.current.path if track and track.current else None

    def stats(self) -> RecorderStats:
        """Counters, for metrics; may be called from any thread."""
        return RecorderStats(
            samples=self._samples,
            bytes=self._bytes,
            lost=self._lost,
            errors=self._errors + self._keeper.errors,
            files=self._files,
            open_files=self._open,
            alarm=self._alarm.active,
        )

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all samples and sidecars are on the disk; False if that took too long or failed."""
        return self._keeper.flush(timeout_s)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Close every recording, whole and described; blocks of later are not taken. False if that took too long."""
        self._closed = True
        for track in self._tracks.values():
            self._end_file(track, "stop")
        return self._keeper.close(timeout_s)

    def _prepare(self, block: Block, first_ms: int, size: int) -> tuple[Track, RecordingFile] | None:
        """The file that ``size`` bytes of ``block`` are to be added to; None if they are not to be, or cannot, be kept."""
        track = self._known(block.device)
        if self._closed or not track.recording:
            return None
        if self._keeper.notice:
            self._heed_keeper()
        count = size // SAMPLE_BYTES
        if self._keeper.short_of_room and not track.retry_s:
            self._rest(track, f"{self.folder}: less than {self._keep_free / 1e6:g} MB free")
        if track.retry_s and not self._may_try(track):
            self._lose(track, count)
            return None
        file = track.current
        if file:
            full = file.bytes and file.bytes + size > self._max_bytes
            end = track.end_before(first_ms, block.boot) or ("size" if full else None)
            if end:
                self._end_file(track, end)
        try:
            track.file = track.current or self._begin(track, block)
        except OSError as error:
            self._lose(track, count)
            self._refused(track, error)
            return None
        track.held = None
        track.boot = block.boot
        return track, track.file

    def _begin(self, track: Track, block: Block) -> RecordingFile:
        if self._open >= self._max_open:
            resting = [other for other in self._tracks.values() if other.current]
            self._end_file(min(resting, key=lambda other: other.read_ns), "rest")
        file = track.begin(float(block.taken_s[0]), time.time(), block.boot)
        self._files += 1
        self._open += 1
        self._keeper.add(file)
        return file

    def _end_file(self, track: Track, end: str) -> None:
        file = track.current
        if file is None:
            return
        track.file = track.held = None
        self._open -= 1
        self._keeper.retire(file, track.described(file, end=end))

    def _known(self, device: DeviceName) -> Track:
        track = self._tracks.get(device)
        if track is None:
            track = Track(device_folder(self.folder, device), device, self._recording)
            self._tracks[device] = track
        return track

    def _may_try(self, track: Track) -> bool:
        """Whether the disk, which refused, is worth another try now."""
        now_s = time.monotonic()
        if now_s < track.retry_s:
            return False
        track.retry_s = now_s + self._retry_s  # unless it takes this block
        if self._keeper.short_of_room:
            self._keeper.look_for_room()
            return not self._keeper.short_of_room
        try:
            return shutil.disk_usage(self.folder).free >= max(_LEAST_ROOM, self._keep_free)
        except OSError:
            return True  # the folder may be made anew

    def _lose(self, track: Track, count: int) -> None:
        self._lost += count
        track.lose(count)

    def _refused(self, track: Track, error: OSError | TornError) -> None:
        """Rest, because of ``error``; a file that is not in order is closed."""
        self._errors += 1
        if isinstance(error, TornError) or not _is_full(error):
            self._end_file(track, "disk")
        text = str(error) if isinstance(error, TornError) else f"{track.folder}: {error.strerror or error}"
        self._rest(track, text)

    def _rest(self, track: Track, reason: str) -> None:
        """Write nothing of ``track`` for a while, and say so."""
        now_s = time.monotonic()
        track.retry_s = now_s + self._retry_s
        if track.file:
            track.held, track.file = track.file, None
        self._alarm.add(track.device, now_s, reason, self._lost)

    def _goes_on(self, track: Track) -> None:
        """The disk took a block again."""
        if track.file:
            self._keeper.save(track.file.sidecar_path, track.described(track.file))
        self._forget_trouble(track)

    def _forget_trouble(self, track: Track) -> None:
        track.retry_s = 0.0
        self._alarm.remove(track.device, time.monotonic() - 3 * self._retry_s, self._lost)

    def _heed_keeper(self) -> None:
        broken = self._keeper.take_broken()
        for track in self._tracks.values() if broken else ():
            if track.current in broken:
                why = broken[track.current]
                self._end_file(track, "disk")
                self._rest(track, why)
                track.retry_s = time.monotonic()  # another file may do


def _is_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, _QUOTA)

"""Records every received sample, for training, in a file for each device and boot.

Survives a failing disk and a killed process.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from service.base.note import NoteText, parse_note
from service.base.source import Block
from service.base.states import RecorderStats
from service.base.wall_clock import HOST_CLOCK
from service.recording.device_recording import DeviceRecording
from service.recording.disk_alarm import RecorderAlarm
from service.recording.disk_retries import DiskRetries
from service.recording.disk_worker import DiskWorker
from service.recording.recording_file import RecordingFile, TornError, largest_file
from service.recording.sidecar import EndReason, RecordingNote
from service.recording.store import device_folder
from stinger.device_name import DeviceName
from stinger.errors import InputError
from stinger.files import StrPath
from stinger.recording import GAP_MS
from stinger.sample import SAMPLE_BYTES, SAMPLE_DTYPE
from stinger.utc import utc_text

MAX_FILE_BYTES: Final = 64_000_000
KEEP_FREE_BYTES: Final = 16_000_000
# A client could send notes without end.
_MAX_NOTES: Final = 1000

_QUOTA: Final = getattr(errno, "EDQUOT", errno.ENOSPC)
_first_u32 = struct.Struct("<I").unpack_from


class Recorder:
    """Appends the blocks of every device to ``folder/<device>/<UTC time>.bin``, and describes each file in a sidecar.

    :meth:`append` writes at once and unbuffered, so that a killed process loses nothing. It never raises for a problem
    with the disk: it calls ``on_alarm``, counts samples as lost, and tries again every ``retry_s``. Every
    ``sync_interval_s`` a thread forces the files to the disk. Recording pauses while less than ``keep_free_bytes`` are
    free, which leaves room for events. With more than ``max_open_files`` devices, the file of the device that has been
    silent longest is closed.

    All methods, and ``on_alarm``, run in the thread of the caller; only :meth:`flush` and :meth:`close` wait for the
    disk. ``folder`` and the folders in it are created when there is something to record. Only one process at a time may
    use it.
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
        self._max_bytes = largest_file(max_file_bytes)
        self._max_open = max_open_files
        self._keep_free = keep_free_bytes
        self._devices: dict[DeviceName, DeviceRecording] = {}
        self._disk = DiskWorker(self.folder, sync_interval_s=sync_interval_s, keep_free_bytes=keep_free_bytes)
        self._samples = self._lost = self._errors = self._files = self._open = 0
        self._retries = DiskRetries(
            self.folder, self._disk, retry_s=retry_s, keep_free_bytes=keep_free_bytes, on_alarm=on_alarm
        )
        self._closed = False

    def append_to_open(self, block: Block) -> bool:
        """Write ``block`` as :meth:`append` does and return True, if its device has an open file that it continues."""
        device = self._devices.get(block.device)
        if device is None or (file := device.file) is None or device.retry_s or self._disk.needs_attention:
            return False
        records = block.samples.tobytes()
        first_ms = _first_u32(records)[0]
        if not file.continues_with(first_ms, block.boot, len(records)):
            return False
        self._write(device, file, records, first_ms, block.read_ns)
        return True

    def append_single(self, device: DeviceName, record: bytes, time_ms: int, read_ns: int) -> bool:
        """Write the ``record`` of one sample of the newest boot, taken at ``time_ms``, to the open file of its device.

        Return False, with nothing written, if the sample needs another file or the disk needs attention.
        """
        known = self._devices.get(device)
        if known is None or (file := known.file) is None:
            return not self.is_recording(device)
        if known.retry_s or self._disk.needs_attention or not file.continues_with(time_ms, file.boot, SAMPLE_BYTES):
            return False
        self._write(known, file, record, time_ms, read_ns)
        return True

    def append(self, block: Block) -> int:
        """Write the samples of ``block``; return how many were written.

        These are fewer than the block has if the disk refuses, and 0 if recording is switched off.
        """
        records = block.samples.tobytes()
        size = len(records)
        if not size:
            return 0
        first_ms = _first_u32(records)[0]
        device = self._devices.get(block.device)
        if (
            device is None
            or (file := device.file) is None
            or device.retry_s
            or self._disk.needs_attention
            or not file.continues_with(first_ms, block.boot, size)
        ):
            prepared = self._prepare(block, first_ms, size)
            if prepared is None:
                return 0
            device, file = prepared
        return self._write(device, file, records, first_ms, block.read_ns)

    def continues_file(self, block: Block) -> bool:
        """Return whether ``block`` belongs in the file that is open for its device, so that no new file has to be created."""
        device = self._devices.get(block.device)
        if device is None or device.file is None:
            return False
        first_ms = int(block.samples["timestamp_ms"][0])
        return device.file.continues_with(first_ms, block.boot, block.samples.nbytes)

    def start(self, device: DeviceName) -> None:
        """Record ``device`` from its next block on."""
        self._device(device).enabled = True

    def stop(self, device: DeviceName) -> None:
        """Close the recording of ``device`` and record nothing of it until :meth:`start`."""
        stopped = self._device(device)
        stopped.enabled = False
        self._end_file(stopped, EndReason.COMMAND)
        self._retries.clear(stopped, self._lost)

    def new_file(self, device: DeviceName) -> None:
        """Close the recording of ``device``; its next block begins another."""
        self._end_file(self._device(device), EndReason.COMMAND)

    def forget(self, device: DeviceName) -> None:
        """Close the recording of ``device`` and forget its state, such as that it is not to be recorded."""
        forgotten = self._devices.pop(device, None)
        if forgotten is not None:
            self._end_file(forgotten, EndReason.REST)
            self._retries.clear(forgotten, self._lost)

    def note(self, device: DeviceName, text: NoteText) -> None:
        """Attach ``text`` to the open recording of ``device``, or to its next one.

        Raises :class:`InputError` if the recording has too many notes already.
        """
        noted = self._device(device)
        note = RecordingNote(utc_text(HOST_CLOCK.now_s()), text)
        file = noted.file
        if len(noted.notes if file is None else file.sidecar.notes) >= _MAX_NOTES:
            raise InputError(f"the recording of {device} has {_MAX_NOTES:,} notes: no room for more")
        if file is None:
            noted.notes += (note,)
            return
        file.sidecar = replace(file.sidecar, notes=(*file.sidecar.notes, note))
        self._disk.save_sidecar(file.sidecar_path, file.described())

    def describe(self, device: DeviceName, *, firmware: str | None = None, model: str | None = None) -> None:
        """Set the firmware and the model that the sidecars of ``device`` name; ``None`` leaves the value as it was.

        A change of the model during a recording is attached to it as a note.
        """
        described = self._device(device)
        changed = described.model is not None and model is not None and model != described.model
        updated = described.update(firmware=firmware, model=model)
        file = described.file
        if file is None:
            return
        if updated:
            self._disk.save_sidecar(file.sidecar_path, file.described())
        if changed:
            with suppress(InputError):
                self.note(device, parse_note(f"model {model}"))

    def is_recording(self, device: DeviceName) -> bool:
        """Return whether the next sample of ``device`` will be recorded if the disk takes it."""
        known = self._devices.get(device)
        return self._recording if known is None else known.enabled

    def current(self, device: DeviceName) -> Path | None:
        """Return the path of the recording of ``device`` that is open, if there is one."""
        known = self._devices.get(device)
        return known.file.path if known and known.file else None

    def stats(self) -> RecorderStats:
        """Return counters, for metrics; may be called from any thread."""
        return RecorderStats(
            samples=self._samples,
            bytes=self._samples * SAMPLE_BYTES,
            lost=self._lost,
            errors=self._errors + self._disk.errors,
            files=self._files,
            open_files=self._open,
            alarm=self._retries.alarm_active,
        )

    def supervise(self) -> str:
        """Return why nothing is forced to the disk now, empty if it is; a thread that has ended is started again."""
        self._retries.settle(self._lost)
        return self._disk.supervise()

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all samples and sidecars are on the disk; return False if that took too long or failed."""
        return self._disk.flush(timeout_s)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Close every recording and write its sidecar; return False if that took too long. Later blocks are ignored."""
        self._closed = True
        for device in self._devices.values():
            self._end_file(device, EndReason.STOP)
        return self._disk.stop(timeout_s)

    def _write(self, device: DeviceRecording, file: RecordingFile, records: bytes, first_ms: int, read_ns: int) -> int:
        """Write ``records``, whose bytes were read at ``read_ns``, to the open file of a device; return how many were written."""
        before, size = file.bytes, len(records)
        count = size // SAMPLE_BYTES
        try:
            file.write(records)
        except (OSError, TornError) as error:
            count = (file.bytes - before) // SAMPLE_BYTES
            self._count_lost(device, size // SAMPLE_BYTES - count)
            self._handle_refusal(device, error)
            if not count:
                return 0
        else:
            if device.retry_s:
                self._disk.save_sidecar(file.sidecar_path, file.described())
                self._retries.resume(device, self._lost)
        if before and first_ms - file.last_ms > GAP_MS:
            file.gaps += 1
        file.last_ms = first_ms
        if count > 1:
            file.count_gaps(np.frombuffer(records, SAMPLE_DTYPE, count))
        device.last_read_ns = read_ns
        self._samples += count
        return count

    def _prepare(self, block: Block, first_ms: int, size: int) -> tuple[DeviceRecording, RecordingFile] | None:
        """Return the open file for ``size`` bytes of ``block``; None if recording is off or the disk refuses."""
        device = self._device(block.device)
        if self._closed or not device.enabled:
            return None
        if self._disk.needs_attention:
            self._end_failed_files()
        if self._disk.low_on_space and not device.retry_s:
            reason = f"{self.folder}: less than {self._keep_free / 1e6:g} MB free"
            self._retries.pause(device, reason, self._lost)
        if device.retry_s and not self._retries.may_retry(device):
            self._count_lost(device, size // SAMPLE_BYTES)
            return None
        file = device.file
        if file and not file.continues_with(first_ms, block.boot, size):
            self._end_file(device, file.end_reason(first_ms, block.boot))
        try:
            return device, device.file or self._open_file(device, block)
        except OSError as error:
            self._count_lost(device, size // SAMPLE_BYTES)
            self._handle_refusal(device, error)
            return None

    def _open_file(self, device: DeviceRecording, block: Block) -> RecordingFile:
        if self._open >= self._max_open:
            recorded = [other for other in self._devices.values() if other.file]
            self._end_file(min(recorded, key=lambda other: other.last_read_ns), EndReason.REST)
        file = device.open_file(block, HOST_CLOCK.now_s(), max_bytes=self._max_bytes)
        self._files += 1
        self._open += 1
        self._disk.add(file)
        return file

    def _end_file(self, device: DeviceRecording, reason: EndReason) -> None:
        file, device.file = device.file, None
        if file:
            self._open -= 1
            self._disk.close_file(file, file.described(end=reason))

    def _device(self, name: DeviceName) -> DeviceRecording:
        device = self._devices.get(name)
        if device is None:
            device = DeviceRecording(device_folder(self.folder, name), name, self._recording)
            self._devices[name] = device
        return device

    def _count_lost(self, device: DeviceRecording, count: int) -> None:
        self._lost += count
        device.count_lost(count)

    def _handle_refusal(self, device: DeviceRecording, error: OSError | TornError) -> None:
        """Pause because of ``error``; unless the disk is only full, the file may be damaged and is closed."""
        self._errors += 1
        if isinstance(error, TornError) or error.errno not in (errno.ENOSPC, _QUOTA):
            self._end_file(device, EndReason.DISK)
        reason = str(error) if isinstance(error, TornError) else f"{device.folder}: {error.strerror or error}"
        self._retries.pause(device, reason, self._lost)

    def _end_failed_files(self) -> None:
        failed = self._disk.take_failed()
        for device in self._devices.values() if failed else ():
            if device.file in failed:
                reason = failed[device.file]
                self._end_file(device, EndReason.DISK)
                self._retries.pause(device, reason, self._lost)
                self._retries.retry_at_once(device)

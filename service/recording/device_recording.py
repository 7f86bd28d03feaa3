"""The state of recording one device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from service.base.source import Block
from service.recording.disk_alarm import STEADY_S
from service.recording.recording_file import RecordingFile
from service.recording.sidecar import RecordingNote, Sidecar
from service.recording.store import storable_time
from stinger.device_name import DeviceName
from stinger.utc import utc_text


@dataclass(slots=True, eq=False)
class DeviceRecording:
    """The state of recording one device: its open file, and the values for the next file's sidecar."""

    folder: Path
    device: DeviceName
    enabled: bool
    file: RecordingFile | None = None
    """The open recording; while :attr:`retry_s` is not 0, nothing is written to it."""
    retry_s: float = 0.0
    """While the disk refuses: when to try again, on the monotonic clock. Else 0."""
    resumed_s: float | None = None
    """When the disk took a block again after it had refused, on the monotonic clock, if it has not refused since."""
    relapses: int = 0
    """How many times in a row it refused again soon after that: so often the time until the next attempt doubles."""
    last_read_ns: int = 0
    """:attr:`Block.read_ns` of the last block that was written."""
    lost: int = 0
    """Number of samples that could not be written and are not yet counted in any file."""
    firmware: str | None = None
    model: str | None = None
    notes: tuple[RecordingNote, ...] = ()
    """Notes for the next recording."""

    def open_file(self, block: Block, now_s: float, *, max_bytes: int) -> RecordingFile:
        """Begin a new recording with ``block``.

        It starts at ``now_s`` (Unix time) if the block's time cannot be stored.

        Raises ``OSError``.
        """
        started_s = storable_time(float(block.taken_s[0]), now_s)
        sidecar = Sidecar(
            device=self.device,
            started=utc_text(started_s),
            boot=block.boot,
            clock_zero_ms=block.clock_zero_ms,
            firmware=self.firmware,
            model=self.model,
            notes=self.notes,
        )
        file = RecordingFile(self.folder, started_s, sidecar, max_bytes=max_bytes)
        file.lost, self.lost = self.lost, 0
        self.notes = ()
        self.file = file
        return file

    def note_refusal(self, now_s: float) -> None:
        """Count a relapse if the disk, which refuses as of ``now_s``, had only just taken a block again."""
        if self.resumed_s is not None:
            self.relapses = self.relapses + 1 if now_s - self.resumed_s < STEADY_S else 0
            self.resumed_s = None

    def count_lost(self, count: int) -> None:
        """Count samples that could not be written, for the sidecar of the open recording or of the next one."""
        if self.file is None:
            self.lost += count
        else:
            self.file.lost += count

    def update(self, *, firmware: str | None, model: str | None) -> bool:
        """Store the values that are not ``None``; return whether the open file's sidecar lacked one of them."""
        self.firmware = firmware or self.firmware
        self.model = model or self.model
        if self.file is None:
            return False
        old = self.file.sidecar
        self.file.sidecar = replace(old, firmware=old.firmware or self.firmware, model=old.model or self.model)
        return self.file.sidecar != old

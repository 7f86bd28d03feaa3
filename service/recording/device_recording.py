"""What the recorder knows of one device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from service.recording.recording_file import RecordingFile
from service.recording.sidecar import Note, Sidecar, file_stem, sensible_time, utc_text
from stinger.device_name import DeviceName
from stinger.recording import GAP_MS, WRAP_MAX_STEP_MS
from stinger.sample import CLOCK_WRAP_MS, SampleArray


@dataclass(slots=True, eq=False)
class Track:
    """What is known of one device."""

    folder: Path
    device: DeviceName
    recording: bool
    file: RecordingFile | None = None
    """Open and in order; ``None`` sends every block the slow way."""
    held: RecordingFile | None = None
    """Open and in order, waiting for room."""
    boot: int = 0
    last_ms: int = 0
    gaps: int = 0
    read_ns: int = 0
    retry_s: float = 0.0
    """Not 0 while the disk refuses: when to try again, on the monotonic clock."""
    lost: int = 0
    """Not yet counted in any file."""
    firmware: str | None = None
    model: str | None = None
    notes: tuple[Note, ...] = ()
    """For the next recording."""

    @property
    def current(self) -> RecordingFile | None:
        """The recording that is open, in order or waiting."""
        return self.file or self.held

    def begin(self, started_s: float, now_s: float, boot: int) -> RecordingFile:
        """A new recording that starts at ``started_s`` (``now_s`` if that is no time), Unix time. Raises ``OSError``."""
        started_s = sensible_time(started_s, now_s)
        sidecar = Sidecar(
            device=self.device,
            started=utc_text(started_s),
            boot=boot,
            firmware=self.firmware,
            model=self.model,
            notes=self.notes,
        )
        self.file = RecordingFile(self.folder, file_stem(started_s), sidecar)
        self.file.lost, self.lost = self.lost, 0
        self.notes = ()
        self.gaps = 0
        return self.file

    def described(self, file: RecordingFile, *, end: str | None = None) -> Sidecar:
        """The sidecar of its recording ``file``; closed if there is a reason to ``end`` it."""
        return file.described(gaps=self.gaps, end=end)

    def lose(self, count: int) -> None:
        """Count samples that could not be written in the sidecar of the recording, or of the next one."""
        if self.current is None:
            self.lost += count
        else:
            self.current.lost += count

    def learn(self, *, firmware: str | None, model: str | None) -> bool:
        """Take over what is not ``None``; True if the recording's sidecar, which lacked it, is another now."""
        self.firmware = firmware or self.firmware
        self.model = model or self.model
        file = self.current
        if file is None:
            return False
        old = file.sidecar
        file.sidecar = replace(old, firmware=old.firmware or self.firmware, model=old.model or self.model)
        return file.sidecar != old

    def end_before(self, first_ms: int, boot: int) -> str | None:
        """Why the recording cannot go on with a sample of ``first_ms`` from ``boot``; None if it can."""
        if boot == self.boot and first_ms >= self.last_ms:
            return None
        step_ms = first_ms - self.last_ms
        wrapped = step_ms < 0 and step_ms + CLOCK_WRAP_MS <= WRAP_MAX_STEP_MS
        return "clock wrap" if wrapped else "reboot"

    def went_on(self, samples: SampleArray) -> None:
        """Count the gaps within ``samples``, more than one, of which the first is the last that was heard of."""
        times_ms = samples["timestamp_ms"]
        first_ms, self.last_ms = self.last_ms, int(times_ms[-1])
        if self.last_ms - first_ms > GAP_MS:
            steps_ms = times_ms[1:] - times_ms[:-1]
            if steps_ms.max() > GAP_MS:
                self.gaps += int(np.count_nonzero(steps_ms > GAP_MS))

"""When to try again to write for devices whose samples the disk refuses, and the alarm meanwhile."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from service.recording.device_recording import DeviceRecording
from service.recording.disk_alarm import DiskAlarm, RecorderAlarm
from service.recording.disk_worker import DiskWorker

_MIN_FREE_BYTES: Final = 65_536
_MOST_DOUBLINGS: Final = 5


class DiskRetries:
    """Pauses and resumes the recording of devices below ``folder``, and raises and clears the alarm by ``on_alarm``.

    A paused device is tried again every ``retry_s``, if ``keep_free_bytes`` are free. The interval doubles each time
    that the disk refuses again soon after it took a block. ``lost`` is the number of samples lost so far, for the
    alarm.
    """

    def __init__(
        self,
        folder: Path,
        disk: DiskWorker,
        *,
        retry_s: float,
        keep_free_bytes: int,
        on_alarm: Callable[[RecorderAlarm], None] | None,
    ) -> None:
        self._folder = folder
        self._disk = disk
        self._retry_s = retry_s
        self._keep_free = keep_free_bytes
        self._alarm = DiskAlarm(on_alarm)

    @property
    def alarm_active(self) -> bool:
        """Whether the alarm is raised."""
        return self._alarm.active

    def may_retry(self, device: DeviceRecording) -> bool:
        """Return whether to try again now to write for a paused device; if so, set the time of the attempt after this."""
        now_s = time.monotonic()
        if now_s < device.retry_s:
            return False
        device.retry_s = now_s + self._interval_s(device)  # set back to 0 if the disk takes this block
        if self._disk.low_on_space:
            self._disk.check_free_space()
            return not self._disk.low_on_space
        try:
            return shutil.disk_usage(self._folder).free >= max(_MIN_FREE_BYTES, self._keep_free)
        except OSError:
            return True  # the folder was deleted: it may be possible to create it again

    def pause(self, device: DeviceRecording, reason: str, lost: int) -> None:
        """Write nothing of ``device`` for a while, and raise the alarm."""
        now_s = time.monotonic()
        device.note_refusal(now_s)
        device.retry_s = now_s + self._interval_s(device)
        self._alarm.device_failed(device.device, now_s, reason, lost)

    def retry_at_once(self, device: DeviceRecording) -> None:
        """Try a paused device again with its next block: another file may work."""
        device.retry_s = time.monotonic()

    def resume(self, device: DeviceRecording, lost: int) -> None:
        """Record ``device`` as before: the disk took a block again."""
        self.clear(device, lost)
        device.resumed_s = time.monotonic()

    def clear(self, device: DeviceRecording, lost: int) -> None:
        """End the pause of ``device``, if there is one, and its part in the alarm."""
        device.retry_s = 0.0
        now_s = time.monotonic()
        self._alarm.device_recovered(device.device, now_s, now_s - 3 * self._interval_s(device), lost)

    def settle(self, lost: int) -> None:
        """Clear the alarm if the disk has been steady for long enough; call this from time to time."""
        self._alarm.settle(time.monotonic(), lost)

    def _interval_s(self, device: DeviceRecording) -> float:
        """Return the time between two attempts to write for ``device``."""
        return self._retry_s * (1 << min(device.relapses, _MOST_DOUBLINGS))

"""Whether the disk keeps the recorder from recording, told when it begins and when it is over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from stinger.device_name import DeviceName

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecorderAlarm:
    """Recording has stopped because of the disk (``active``), or goes on again."""

    active: bool
    reason: str
    """For a person, one line; when it goes on, what the reason had been."""
    lost: int
    """Samples that came and were not written, since the recorder began."""


class DiskAlarm:
    """Active from the first device that cannot be recorded until none is left that cannot."""

    def __init__(self, on_change: Callable[[RecorderAlarm], None] | None) -> None:
        self._on_change = on_change
        self._troubled: dict[DeviceName, float] = {}
        self._reason = ""

    @property
    def active(self) -> bool:
        """Whether it has been raised and not cleared."""
        return bool(self._reason)

    def add(self, device: DeviceName, now_s: float, reason: str, lost: int) -> None:
        """``device`` cannot be recorded, as of ``now_s`` on the monotonic clock."""
        self._troubled[device] = now_s
        if not self._reason:
            self._reason = reason
            _log.warning("recording_stopped reason=%r", reason)
            self._tell(RecorderAlarm(active=True, reason=reason, lost=lost))

    def remove(self, device: DeviceName, older_s: float, lost: int) -> None:
        """``device`` is recorded again; others that were last heard of before ``older_s`` no longer count.

        A device that has been silent since must not keep the alarm up.
        """
        self._troubled.pop(device, None)
        self._troubled = {other: heard_s for other, heard_s in self._troubled.items() if heard_s >= older_s}
        if self._reason and not self._troubled:
            reason, self._reason = self._reason, ""
            _log.warning("recording_resumed lost=%d", lost)
            self._tell(RecorderAlarm(active=False, reason=reason, lost=lost))

    def _tell(self, alarm: RecorderAlarm) -> None:
        if self._on_change:
            self._on_change(alarm)

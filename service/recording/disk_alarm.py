"""The alarm that the disk keeps the daemon from recording: raised once, and cleared once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from service.base.logs import get_logger
from stinger.device_name import DeviceName

STEADY_S: Final = 60.0
"""A disk that refuses again within this time after it has recovered fails in turns."""
_LOG = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RecorderAlarm:
    """Recording has stopped because of the disk (``active``), or has resumed."""

    active: bool
    reason: str
    """One line for a person; when recording has resumed, the reason why it had stopped."""
    lost: int
    """Number of samples that were received and not written, since the recorder was created."""


class DiskAlarm:
    """Active from the first device that cannot be recorded until every device can be recorded again.

    Where the disk refuses again within ``steady_s`` after that, the alarm is raised once more, and then stays until the
    disk has refused nothing for ``steady_s``: a disk that fails and works in turns raises no alarm every time.
    """

    def __init__(self, on_change: Callable[[RecorderAlarm], None] | None, *, steady_s: float = STEADY_S) -> None:
        self._on_change = on_change
        self._steady_s = steady_s
        self._failing: dict[DeviceName, float] = {}
        self._reason = ""
        self._cleared_s = float("-inf")
        self._recovered_s = 0.0
        self._unsteady = False

    @property
    def active(self) -> bool:
        """Whether it has been raised and not cleared."""
        return bool(self._reason)

    def device_failed(self, device: DeviceName, now_s: float, reason: str, lost: int) -> None:
        """Note that ``device`` cannot be recorded, as of ``now_s`` on the monotonic clock; raise the alarm if it is new."""
        self._failing[device] = now_s
        if not self._reason:
            self._reason = reason
            self._unsteady = now_s - self._cleared_s < self._steady_s
            _LOG.warning("recording_stopped", reason=reason)
            self._notify(RecorderAlarm(active=True, reason=reason, lost=lost))

    def device_recovered(self, device: DeviceName, now_s: float, silent_since_s: float, lost: int) -> None:
        """Note that ``device`` is recorded again as of ``now_s``; clear the alarm if no other device is failing.

        Devices that last failed before ``silent_since_s`` do not count: one that sends nothing any more is not tried
        again either, and must not keep the alarm up.
        """
        self._failing.pop(device, None)
        self._failing = {other: failed_s for other, failed_s in self._failing.items() if failed_s >= silent_since_s}
        self._recovered_s = now_s
        if not self._unsteady:
            self._clear(now_s, lost)

    def settle(self, now_s: float, lost: int) -> None:
        """Clear the alarm of a disk that failed in turns, once it has worked for long enough; call this now and then."""
        if self._unsteady and now_s - self._recovered_s >= self._steady_s:
            self._clear(now_s, lost)

    def _clear(self, now_s: float, lost: int) -> None:
        if self._reason and not self._failing:
            reason, self._reason, self._cleared_s = self._reason, "", now_s
            self._unsteady = False
            _LOG.warning("recording_resumed", lost=lost)
            self._notify(RecorderAlarm(active=False, reason=reason, lost=lost))

    def _notify(self, alarm: RecorderAlarm) -> None:
        if self._on_change:
            self._on_change(alarm)

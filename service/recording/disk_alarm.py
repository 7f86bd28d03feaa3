"""The alarm that the disk keeps the daemon from recording: raised once, and cleared once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.base.logs import get_logger
from stinger.device_name import DeviceName

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
    """Active from the first device that cannot be recorded until every device can be recorded again."""

    def __init__(self, on_change: Callable[[RecorderAlarm], None] | None) -> None:
        self._on_change = on_change
        self._failing: dict[DeviceName, float] = {}
        self._reason = ""

    @property
    def active(self) -> bool:
        """Whether it has been raised and not cleared."""
        return bool(self._reason)

    def device_failed(self, device: DeviceName, now_s: float, reason: str, lost: int) -> None:
        """Note that ``device`` cannot be recorded, as of ``now_s`` on the monotonic clock; raise the alarm if it is new."""
        self._failing[device] = now_s
        if not self._reason:
            self._reason = reason
            _LOG.warning("recording_stopped", reason=reason)
            self._notify(RecorderAlarm(active=True, reason=reason, lost=lost))

    def device_recovered(self, device: DeviceName, silent_since_s: float, lost: int) -> None:
        """Note that ``device`` is recorded again; clear the alarm if no other device is failing.

        Devices that last failed before ``silent_since_s`` do not count: one that sends nothing any more is not tried
        again either, and must not keep the alarm up.
        """
        self._failing.pop(device, None)
        self._failing = {other: failed_s for other, failed_s in self._failing.items() if failed_s >= silent_since_s}
        if self._reason and not self._failing:
            reason, self._reason = self._reason, ""
            _LOG.warning("recording_resumed", lost=lost)
            self._notify(RecorderAlarm(active=False, reason=reason, lost=lost))

    def _notify(self, alarm: RecorderAlarm) -> None:
        if self._on_change:
            self._on_change(alarm)

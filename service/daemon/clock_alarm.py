"""Raises an alarm while the clocks of devices cannot be used."""

from __future__ import annotations

from collections.abc import Callable

from service.base.sink import Sink
from service.base.source import LinkReport
from stinger.device_name import DeviceName


class ClockAlarm(Sink):
    """Calls ``on_problem`` with a line about the devices whose clock is not usable.

    The line is empty if there are none.
    """

    def __init__(self, on_problem: Callable[[str], None]) -> None:
        self._on_problem = on_problem
        self._unusable: set[DeviceName] = set()

    def on_link(self, report: LinkReport) -> None:
        """See :class:`service.base.sink.Sink`."""
        self._note(report.device, usable=report.clock_usable)

    def on_forget(self, device: DeviceName) -> None:
        """See :class:`service.base.sink.Sink`."""
        self._note(device, usable=True)

    def on_release(self, device: DeviceName) -> None:
        """See :class:`service.base.sink.Sink`."""
        self._note(device, usable=True)

    def _note(self, device: DeviceName, *, usable: bool) -> None:
        if usable == (device not in self._unusable):
            return
        if usable:
            self._unusable.discard(device)
        else:
            self._unusable.add(device)
        first = min(self._unusable, default="")
        others = f" and of {len(self._unusable) - 1} more" if len(self._unusable) > 1 else ""
        self._on_problem(
            f"the clock of blaster {first}{others} is not usable: its samples are dropped" if first else ""
        )

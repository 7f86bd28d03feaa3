"""Limits how many devices appear over MQTT.

Anyone who may publish can invent names, and each costs memory and files.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from service.base.logs import get_logger
from stinger.device_name import DeviceName

MAX_DEVICES: Final = 2000
"""More than a machine with two cores can score."""
NEW_AT_ONCE: Final = 1000
"""So many devices may appear at the same moment, as when a hall is switched on."""
NEW_PER_S: Final = 10.0
"""After that, this many a second."""
REPLACED_AFTER_S: Final = 600.0
"""At the limit, a new device takes the place of the one that was silent longest, if it was for this long."""
PROBLEM_ENDS_S: Final = 60.0
"""The problem is over when no device was refused for this long."""

_LOG: Final = get_logger(__name__)


class DeviceLimit:
    """Decides whether a new device is accepted.

    ``on_problem`` is called with a line for people when devices are refused, and with an empty text when that is over.
    ``on_forget`` is called with a device that gave its place to another. ``clock`` returns seconds.
    """

    def __init__(
        self,
        max_devices: int = MAX_DEVICES,
        *,
        on_problem: Callable[[str], None] = lambda _: None,
        on_forget: Callable[[DeviceName], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.refused = 0
        """Number of messages of devices that were not accepted."""
        self.max_devices = max_devices
        self._on_problem = on_problem
        self._on_forget = on_forget
        self._clock = clock
        self._allowed = float(NEW_AT_ONCE)
        self._counted_s = clock()
        self._problem = ""
        self._refused_s = 0.0

    def accepts(self, name: DeviceName, known: int) -> bool:
        """Return whether the new device ``name`` may be added to ``known`` others now; if so, count it."""
        now_s = self._clock()
        self._allowed = min(NEW_AT_ONCE, self._allowed + NEW_PER_S * (now_s - self._counted_s))
        self._counted_s = now_s
        if known < self.max_devices and self._allowed >= 1:
            self._allowed -= 1
            return True
        self.refused += 1
        self._refused_s = now_s
        full = known >= self.max_devices
        problem = (
            f"more than max_devices = {self.max_devices} devices over MQTT: others are ignored"
            if full
            else f"more than {NEW_PER_S:g} new devices a second over MQTT: some are ignored at first"
        )
        if not self._problem:
            _LOG.warning("devices_refused", device=name, reason=problem)
            self._problem = problem
            self._on_problem(problem)
        return False

    def forget(self, name: DeviceName) -> None:
        """Note that ``name`` gave its place to another device."""
        _LOG.info("device_forgotten", device=name)
        self._on_forget(name)

    def check(self) -> None:
        """End the problem if no device was refused for a while: call this now and then."""
        if self._problem and self._clock() - self._refused_s >= PROBLEM_ENDS_S:
            self._problem = ""
            self._on_problem("")

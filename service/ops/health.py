"""How the daemon is: whether it is ready, whether its event loop turns, and what a person must see to."""

from __future__ import annotations

import time
from typing import Final

from service.base.logs import get_logger

HELD_UP_S: Final = 5.0
"""An event loop that has not turned for so long is not ready for anything."""

_LOG = get_logger(__name__)


class Condition:
    """Kept by the event loop's thread, looked at from any. Not ready at first."""

    def __init__(self) -> None:
        self.ready = False
        """Whether it is up and not about to stop."""
        self._turned_s = time.monotonic()
        self._alarms: dict[str, str] = {}

    def turned(self) -> None:
        """The event loop has had its turn."""
        self._turned_s = time.monotonic()

    def unready(self) -> str:
        """Why the daemon is not ready; empty where it is."""
        if not self.ready:
            return "starting or stopping"
        held_up_s = time.monotonic() - self._turned_s
        return f"held up for {held_up_s:.0f} s" if held_up_s > HELD_UP_S else ""

    def alarm(self, about: str, text: str) -> None:
        """Something that a person must see to, until it is told again as empty."""
        if text:
            _LOG.warning("alarm_raised", about=about, reason=text)
        self._alarms[about] = text

    def alarm_about(self, about: str) -> str:
        """What was last told of ``about``; empty for nothing, or no more."""
        return self._alarms.get(about, "")

    @property
    def alarms(self) -> str:
        """Everything that there is to see to, on one line."""
        return "; ".join(text for text in self._alarms.values() if text)

    def status(self, *, streaming: int, devices: int, model: str, connected: bool) -> str:
        """All of it for a person, on one line."""
        broker = "connected" if connected else "away"
        alarms = f"; ALARM: {self.alarms}" if self.alarms else ""
        return f"{streaming} of {devices} devices streaming, model {model}, broker {broker}{alarms}"

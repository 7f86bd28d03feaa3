"""The daemon's health: whether it is ready, whether its event loop runs, and which alarms need an operator."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from service.base.logs import get_logger

MAX_STALL_S: Final = 5.0
"""An event loop that has been stalled for longer makes the daemon unready."""

_LOG = get_logger(__name__)


class Health:
    """The daemon's health: written by the event loop's thread, read from any thread. Not ready at first."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.ready = False
        """Whether the daemon has started and is not about to stop."""
        self._clock_s = clock_s
        self._heartbeat_s = clock_s()
        self._alarms: dict[str, str] = {}
        self._unready: frozenset[str] = frozenset()

    def heartbeat(self) -> None:
        """Record that the event loop runs."""
        self._heartbeat_s = self._clock_s()

    def unready_reason(self) -> str:
        """Return why the daemon is not ready; empty if it is."""
        if not self.ready:
            return "starting or stopping"
        stalled_s = self._clock_s() - self._heartbeat_s
        if stalled_s > MAX_STALL_S:
            return f"event loop stalled for {stalled_s:.0f} s"
        return next((self._alarms[topic] for topic in sorted(self._unready)), "")

    def set_alarm(self, topic: str, text: str, *, unready: bool = False) -> None:
        """Raise the alarm of ``topic``, which needs an operator; an empty ``text`` clears it.

        If ``unready``, the daemon is not ready while there is this alarm.
        """
        if text:
            _LOG.warning("alarm_raised", topic=topic, reason=text)
        self._alarms = {**self._alarms, topic: text}
        self._unready = self._unready | {topic} if text and unready else self._unready - {topic}

    def alarm_of(self, topic: str) -> str:
        """Return the alarm of ``topic``; empty if there is none."""
        return self._alarms.get(topic, "")

    @property
    def active_alarms(self) -> dict[str, str]:
        """The texts of all alarms, by topic."""
        return {topic: text for topic, text in self._alarms.items() if text}

    @property
    def alarms(self) -> str:
        """All alarms on one line; empty if there is none."""
        return "; ".join(self.active_alarms.values())

    def status_line(self, *, streaming: int, devices: int, model: str, connected: bool) -> str:
        """Return a summary for an operator, on one line."""
        broker = "connected" if connected else "away"
        alarms = f"; ALARM: {self.alarms}" if self.alarms else ""
        return f"{streaming} of {devices} devices streaming, model {model}, broker {broker}{alarms}"

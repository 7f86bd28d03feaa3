"""Checks that the events published for a device are consistent with one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hil.measuring.messages import DaemonMessage
from hil.measuring.observations import InjectedFault
from stinger.json_number import finite_number

ROUNDED_MS: Final = 1.0
"""Tolerance for durations: the daemon publishes them rounded."""


def find_contradictions(events: Sequence[DaemonMessage], *, restarts_s: Sequence[float] = ()) -> list[str]:
    """Return one line for each of ``events``, those of one device in order, that contradicts earlier ones.

    Wheels switch on and off alternately. A shot states whether they are on, and for how long. The event that switches
    them off states how long they were on and whether there was a shot; without a shot, a false spin-up must follow. At
    each of ``restarts_s`` (Unix time) a new daemon process began, which does not know the events before it. Wheels that
    the one before left on may be switched off by it once more, as it corrects what is retained.
    """
    found: list[str] = []
    checker, restarts = _Checker(events[0].device if events else ""), 0
    for event in events:
        restarts_before = sum(start_s <= _number(event.content.get("unix_s")) for start_s in restarts_s)
        if restarts_before > restarts:
            left_on_ms = checker.left_on_ms if checker.on_ms is None else checker.on_ms
            checker, restarts = _Checker(event.device, left_on_ms), restarts_before
        found += checker.check(event)
    return found + checker.missing_events()


def daemon_restarts_s(faults: Sequence[InjectedFault], status: Sequence[DaemonMessage]) -> list[float]:
    """Return the times, as Unix time, at which a killed daemon first published that it is online again."""
    found = []
    for killed in (fault for fault in faults if fault.kind == "daemon_killed"):
        online_s = (
            _number(message.content.get("unix_s"))
            for message in status
            if message.at_ns > killed.start_ns and message.content.get("state") == "online" and not message.retained
        )
        found += [start_s for start_s in [next(online_s, None)] if start_s is not None]
    return found


@dataclass(slots=True)
class _Checker:
    """The state of a device's wheels according to its events so far; ``on_ms`` is ``None`` while they are off."""

    device: str
    left_on_ms: int | None = None
    """When wheels switched on that were still on when the daemon before was killed."""
    on_ms: int | None = None
    with_shot: bool = False
    expected_false_spin_up: tuple[int, object] | None = None
    """The start (device's clock, ms) and published duration (ms) of a spin-up whose false_spinup event must come next."""

    def check(self, event: DaemonMessage) -> Iterator[str]:
        """Update the state with ``event``, and yield a line for each contradiction."""
        at = f"{event.device}: {event.kind} at {event.content.get('device_ms')} ms"
        if event.kind == "false_spinup":
            start_ms, duration_ms = self.expected_false_spin_up or (None, None)
            if start_ms is None or event.content.get("device_ms") != start_ms:
                yield f"{at}: no spin-up without a shot began at that time"
            elif event.content.get("duration_ms") != duration_ms:
                yield f"{at}: duration_ms is {event.content.get('duration_ms')}, not {duration_ms}"
            self.expected_false_spin_up = None
            return
        yield from self.missing_events(wheels=False)
        if event.kind == "shot":
            yield from self._check_shot(event.content, at)
        else:
            yield from self._check_switch(event.content, at)

    def missing_events(self, *, wheels: bool = True) -> list[str]:
        """Return a line for each expected event that did not come; with ``wheels``, wheels still on count as well."""
        missing = []
        if self.expected_false_spin_up is not None:
            start_ms = self.expected_false_spin_up[0]
            missing.append(f"{self.device}: no false_spinup event for the spin-up at {start_ms} ms")
        if wheels and self.on_ms is not None:
            missing.append(f"{self.device}: the wheels switched on at {self.on_ms} ms and never off")
        self.expected_false_spin_up = None
        return missing

    def _check_shot(self, content: dict[str, Any], at: str) -> Iterator[str]:
        self.with_shot = True
        if content.get("wheels_on") is not (self.on_ms is not None):
            yield f"{at}: wheels_on is {content.get('wheels_on')}"
        elif not self._is_time_on(content, content.get("lead_ms")):
            wheels = "are off" if self.on_ms is None else f"switched on at {self.on_ms} ms"
            yield f"{at}: lead_ms is {content.get('lead_ms')}, but the wheels {wheels}"

    def _check_switch(self, content: dict[str, Any], at: str) -> Iterator[str]:
        on = content.get("state") == "on"
        if not on and self.on_ms is None and self.left_on_ms == content.get("device_ms"):
            self.left_on_ms = None
            return
        if on is (self.on_ms is not None):
            yield f"{at}: the wheels were already {content.get('state')}"
        elif not on and not self._is_time_on(content, content.get("duration_ms")):
            yield f"{at}: duration_ms is {content.get('duration_ms')}, but the wheels switched on at {self.on_ms} ms"
        elif not on and content.get("with_shot") is not self.with_shot:
            yield f"{at}: with_shot is {content.get('with_shot')}"
        if on:
            self.on_ms, self.with_shot = int(_number(content.get("device_ms"))), False
        else:
            if self.on_ms is not None and not self.with_shot:
                self.expected_false_spin_up = self.on_ms, content.get("duration_ms")
            self.on_ms = None

    def _is_time_on(self, content: dict[str, Any], published_ms: object) -> bool:
        """Return whether ``published_ms`` is how long the wheels have been on, or ``None`` while they are off."""
        shown_ms = finite_number(published_ms)
        if self.on_ms is None or shown_ms is None:
            return self.on_ms is None and published_ms is None
        return abs(_number(content.get("device_ms")) - self.on_ms - shown_ms) <= ROUNDED_MS


def _number(value: object) -> float:
    return finite_number(value) or 0.0

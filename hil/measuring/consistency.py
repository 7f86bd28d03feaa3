"""Whether what the daemon told of a device goes together: each event with those before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hil.measuring.messages import DaemonMessage
from hil.measuring.observations import InjectedFault

ROUNDED_MS: Final = 1.0
"""Durations are told rounded, and may be off by so much."""


def find_contradictions(told: Sequence[DaemonMessage], *, restarts_s: Sequence[float] = ()) -> list[str]:
    """What in ``told``, the events of one device in their order, cannot be so after those before it, in a line each.

    Wheels go on and off in turn; a shot says whether they are on, and for how long; their going off says for how long
    they were, and whether there was a shot; if not, a false spin-up follows. At each of ``restarts_s`` (Unix time) another
    daemon began, which knows nothing of what was before.
    """
    found: list[str] = []
    story, life = _Story(told[0].device if told else ""), 0
    for event in told:
        begun = sum(start_s <= _number(event.content.get("unix_s")) for start_s in restarts_s)
        if begun > life:
            story, life = _Story(event.device), begun
        found += story.go_on(event)
    return found + story.end()


def daemon_restarts_s(faults: Sequence[InjectedFault], status: Sequence[DaemonMessage]) -> list[float]:
    """When, Unix time, a daemon that had been killed said that it is there again."""
    found = []
    for killed in (each for each in faults if each.kind == "daemon_killed"):
        again = (
            _number(told.content.get("unix_s"))
            for told in status
            if told.at_ns > killed.start_ns and told.content.get("state") == "online" and not told.retained
        )
        found += [start_s for start_s in [next(again, None)] if start_s is not None]
    return found


@dataclass(slots=True)
class _Story:
    """Of ``device``: ``on_ms`` is when the wheels went on, ``due`` the false spin-up that is still to be told of."""

    device: str
    on_ms: int | None = None
    with_shot: bool = False
    due: tuple[int, object] | None = None
    """When its wheels went on, and for how many ms they were."""

    def go_on(self, event: DaemonMessage) -> Iterator[str]:
        at = f"{event.device}: {event.kind} at {event.content.get('device_ms')} ms"
        if event.kind == "false_spinup":
            since_ms, lasted_ms = self.due or (None, None)
            if since_ms is None or event.content.get("device_ms") != since_ms:
                yield f"{at}: no wheels had gone off without a shot that went on then"
            elif event.content.get("duration_ms") != lasted_ms:
                yield f"{at}: duration_ms is {event.content.get('duration_ms')}, not {lasted_ms}"
            self.due = None
            return
        yield from self.end(wheels=False)
        if event.kind == "shot":
            yield from self._shot(event.content, at)
        else:
            yield from self._switch(event.content, at)

    def end(self, *, wheels: bool = True) -> list[str]:
        """Nothing more of what is due will come."""
        missing = []
        if self.due is not None:
            missing.append(f"{self.device}: the false spin-up of {self.due[0]} ms was not told of")
        if wheels and self.on_ms is not None:
            missing.append(f"{self.device}: the wheels that went on at {self.on_ms} ms never went off")
        self.due = None
        return missing

    def _shot(self, content: dict[str, Any], at: str) -> Iterator[str]:
        self.with_shot = True
        if content.get("wheels_on") is not (self.on_ms is not None):
            yield f"{at}: wheels_on is {content.get('wheels_on')}"
        elif not self._lasted(content, content.get("lead_ms")):
            wheels = "are off" if self.on_ms is None else f"went on at {self.on_ms} ms"
            yield f"{at}: lead_ms is {content.get('lead_ms')}, and the wheels {wheels}"

    def _switch(self, content: dict[str, Any], at: str) -> Iterator[str]:
        on = content.get("state") == "on"
        if on is (self.on_ms is not None):
            yield f"{at}: the wheels were {content.get('state')} already"
        elif not on and not self._lasted(content, content.get("duration_ms")):
            yield f"{at}: duration_ms is {content.get('duration_ms')}, and they went on at {self.on_ms} ms"
        elif not on and content.get("with_shot") is not self.with_shot:
            yield f"{at}: with_shot is {content.get('with_shot')}"
        if on:
            self.on_ms, self.with_shot = int(_number(content.get("device_ms"))), False
        else:
            if self.on_ms is not None and not self.with_shot:
                self.due = self.on_ms, content.get("duration_ms")
            self.on_ms = None

    def _lasted(self, content: dict[str, Any], told_ms: object) -> bool:
        """Whether ``told_ms`` is how long the wheels have been on, or ``None`` as they are off."""
        if self.on_ms is None or not isinstance(told_ms, int | float):
            return self.on_ms is None and told_ms is None
        return abs(_number(content.get("device_ms")) - self.on_ms - told_ms) <= ROUNDED_MS


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0

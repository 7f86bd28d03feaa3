"""The messages that were sent and that the broker has not acknowledged."""

from __future__ import annotations

import itertools
import time

from service.mqtt.suspects import Key


class InFlight:
    """Messages in flight: events by their number in the outbox, states by a number of their own, each with its time."""

    def __init__(self) -> None:
        self._events: dict[int, float] = {}
        self._states: dict[int, tuple[float, str]] = {}
        self._state_numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._events) + len(self._states)

    @property
    def events(self) -> int:
        """How many events are in flight."""
        return len(self._events)

    @property
    def states(self) -> int:
        """How many states are in flight."""
        return len(self._states)

    @property
    def keys(self) -> set[Key]:
        """The numbers of the events and the topics of the states."""
        return {*self._events, *(topic for _, topic in self._states.values())}

    def add_event(self, number: int) -> None:
        """Add the event ``number``, which is sent now."""
        self._events[number] = time.monotonic()

    def has_event(self, number: int) -> bool:
        """Return whether the event ``number`` is in flight: one of an earlier connection is not."""
        return number in self._events

    def remove_event(self, number: int) -> bool:
        """Remove the event ``number``; return whether it was in flight."""
        return self._events.pop(number, None) is not None

    def add_state(self, topic: str) -> int:
        """Add a state for ``topic``, which is sent now; return its number."""
        number = next(self._state_numbers)
        self._states[number] = (time.monotonic(), topic)
        return number

    def remove_state(self, number: int) -> str:
        """Remove the state ``number`` and return its topic; an empty text if it is not in flight."""
        _, topic = self._states.pop(number, (0.0, ""))
        return topic

    def older_than(self, age_s: float) -> dict[Key, float]:
        """Return when each message was sent that has been in flight for longer than ``age_s``."""
        before_s = time.monotonic() - age_s
        sent: list[tuple[Key, float]] = [*self._events.items()]
        sent += [(topic, sent_s) for sent_s, topic in self._states.values()]
        return {key: sent_s for key, sent_s in sent if sent_s < before_s}

    def clear(self) -> None:
        """Remove all: their connection is lost."""
        self._events.clear()
        self._states.clear()

"""The long actions of the page's process: the newest of each kind, and that only those run together that may."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from enum import Enum
from typing import Final

from service.web.long_action import LongAction
from service.web.step_times import StepTimes
from stinger.errors import InputError

_CLOSE_WITHIN_S: Final = 5.0


class Kind(Enum):
    """A kind of long action; its value names it in messages."""

    TRAIN = "the training on all recordings"
    PERSONAL_TRAINING = "the training for one blaster"
    BENCH = "the bench"
    MEASURE = "measuring a model"
    STORE_THRESHOLD = "storing a model with another threshold"
    FETCH = "fetching a log"
    UPLOAD = "the upload to a blaster"

    @property
    def needs_blaster(self) -> bool:
        """Whether it needs a blaster's port, and not the processor for a long time."""
        return self in (Kind.FETCH, Kind.UPLOAD)


class Actions:
    """The actions that were started, the newest of each kind.

    At most one runs that uses a blaster, and at most one of the others: two trainings would take each other's time, and
    the bench measures time. ``times`` holds how long the steps of earlier ones took.
    """

    def __init__(self, times: StepTimes | None = None) -> None:
        self._times = times or StepTimes()
        self._newest: dict[Kind, LongAction] = {}
        self._starting = threading.Lock()
        self._closed = False

    def newest(self, kind: Kind) -> LongAction | None:
        """Return the newest action of ``kind``, which may have ended; ``None`` if there was none."""
        return self._newest.get(kind)

    def in_the_way(self, kind: Kind) -> Kind | None:
        """Return the kind of the running action that keeps one of ``kind`` from starting; ``None`` if there is none."""
        for other, action in self._newest.items():
            if action.state == "running" and other.needs_blaster == kind.needs_blaster:
                return other
        return None

    def check_free(self, kind: Kind) -> None:
        """Raise :class:`InputError` if a running action keeps one of ``kind`` from starting."""
        other = self.in_the_way(kind)
        if other is not None:
            raise InputError(f"{other.value} is running: wait for its end, or cancel it")

    def start(
        self, kind: Kind, arguments: Sequence[str], *, finished_codes: frozenset[int] = frozenset({0})
    ) -> LongAction:
        """Start the command line ``arguments`` of ``stinger``; see :class:`LongAction`.

        Raises :class:`InputError` if another action is in the way.
        """
        with self._starting:
            self.check_free(kind)
            if self._closed:
                raise InputError("the page is about to end")
            low_priority = kind in (Kind.TRAIN, Kind.PERSONAL_TRAINING)
            self._newest[kind] = LongAction(
                arguments,
                low_priority=low_priority,
                finished_codes=finished_codes,
                earlier=self._times.of(kind.name),
                on_done=lambda action: self._times.keep(kind.name, action.steps),
            )
            return self._newest[kind]

    def close(self) -> None:
        """Cancel all actions, and wait for their ends. Not for an event loop."""
        with self._starting:
            self._closed = True
        for action in self._newest.values():
            action.cancel()
        for action in self._newest.values():
            action.close(_CLOSE_WITHIN_S)

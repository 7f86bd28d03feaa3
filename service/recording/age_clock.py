"""Decides whether the system's clock can be trusted to delete recordings by their age.

If the clock is a year ahead, even for a moment, every recording seems a year old. So a clock that has jumped is not
trusted until it has run on for a day without another jump; a wrong one is usually corrected before.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stinger.errors import StingerError
from stinger.files import read_bytes, write_bytes

AGE_CLOCK_NAME: Final = "retention.json"
"""The name of its file in the data folder."""
DAY_S: Final = 86_400.0
MAX_JUMP_S: Final = 2 * DAY_S
"""A clock further ahead of the last trusted time than this is not trusted at first."""
TRIAL_S: Final = DAY_S
"""How long its trial is: it is trusted once it has run on for so long without another step."""
_STEP_S: Final = 3600.0
"""A step of the clock by more than this while the daemon runs begins the trial anew."""
_MAX_BYTES: Final = 10_000


@dataclass(frozen=True, slots=True)
class _State:
    trusted_s: float
    """The latest time that was trusted, Unix time."""
    trial_since_s: float | None = None
    """The clock's time when its trial began; ``None`` without a trial."""


class AgeClock:
    """Keeps the last trusted time in ``file``, for the next start; works without it if the file cannot be written."""

    def __init__(self, file: Path, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._monotonic_s = monotonic_s
        self._state: _State | None = None
        self._last: tuple[float, float] | None = None
        """The clock and the monotonic clock at the last check."""

    def check(self, now_s: float, newest_s: float | None, *, save: bool = True) -> str:
        """Return why recordings must not be deleted by age at ``now_s``, the clock's time; empty if they may.

        ``newest_s`` is when the newest recording ended, if there is one: without a file, the last time that can be
        trusted.
        """
        monotonic_s = self._monotonic_s()
        # Read each time: the command "prune --trust-clock" may have changed it.
        state = _read(self._file) or self._state or _State(now_s if newest_s is None else min(now_s, newest_s))
        # A trial of a clock that was behind, such as one in 1970, is no evidence about one that is ahead now.
        of_another_time = state.trial_since_s is not None and state.trial_since_s < state.trusted_s < now_s
        stepped = self._last is not None and abs((now_s - self._last[0]) - (monotonic_s - self._last[1])) > _STEP_S
        difference_s = now_s - state.trusted_s
        if abs(difference_s) <= MAX_JUMP_S:
            state = _State(max(state.trusted_s, now_s))
        elif stepped or of_another_time or state.trial_since_s is None or now_s < state.trial_since_s:
            state = _State(state.trusted_s, trial_since_s=now_s)
        elif now_s - state.trial_since_s >= TRIAL_S:
            state = _State(now_s)
        if save:
            self._last = now_s, monotonic_s
            self._save(state)
        # A clock that is behind makes recordings younger than they are: what is too old nevertheless can be deleted.
        if state.trial_since_s is None or difference_s < 0:
            return ""
        left_h = max(0.0, TRIAL_S - (now_s - state.trial_since_s)) / 3600
        return (
            f"the clock is {difference_s / DAY_S:.1f} days ahead of the last time that was trusted: no recording is deleted "
            f"by age for {left_h:.0f} hours; if the clock is right, run 'stinger recordings prune --trust-clock'"
        )

    def trust(self, now_s: float) -> None:
        """Trust the clock: ``now_s`` is right."""
        self._save(_State(now_s))

    def _save(self, state: _State) -> None:
        # Saved at each check: a daemon that is off for months then knows when it was last on.
        self._state = state
        content = {"trusted_s": state.trusted_s, "trial_since_s": state.trial_since_s}
        with suppress(StingerError):
            write_bytes(self._file, json.dumps(content).encode() + b"\n")


def _read(file: Path) -> _State | None:
    """Return the state in ``file``; ``None`` if there is none that can be used."""
    try:
        values = json.loads(read_bytes(file, at_most=_MAX_BYTES))
        trusted_s, trial_since_s = float(values["trusted_s"]), values["trial_since_s"]
        state = _State(trusted_s, None if trial_since_s is None else float(trial_since_s))
    except (StingerError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return state if all(math.isfinite(value) for value in (state.trusted_s, state.trial_since_s or 0.0)) else None

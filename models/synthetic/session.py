"""Sessions: round after round, as a logger would have written them down."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.synthetic.acts import write_round
from models.synthetic.motion import move
from models.synthetic.script import Pull, Script
from models.synthetic.sensor import Sensor, draw_sensor, sense
from models.synthetic.users import User, draw_user
from stinger.errors import InputError
from stinger.sample import SAMPLE_DTYPE, SAMPLE_RATE_HZ, SampleArray, make_samples

STILL_PAUSE_MS: Final = 1500
"""The logger pauses once the blaster has lain still for this long, until it is picked up (the firmware's rule)."""
MAX_MINUTES: Final = 1440
"""A day; longer ones are for :func:`synthetic_blocks`, which keeps nothing."""

_STEP_MS: Final = 1000 // SAMPLE_RATE_HZ
_MAX_USERS: Final = 10_000
_MAX_BOOTS: Final = 1000
_MAX_NUMBER: Final = 2**32
_SENSOR, _ROUND, _FIRST_USER = range(3)
"""What random numbers are for: each purpose has its own, so that none moves when another draws more."""


def synthesise(
    *,
    minutes: float,
    seed: int,
    users: int = 1,
    first_user: int | None = None,
    still_pause: bool = True,
    boots: int = 1,
) -> SampleArray:
    """A session of ``minutes`` by the blaster's clock: ``(n,)`` samples, 10 ms apart but for gaps, time from 0.

    ``users`` people take turns, round by round, numbered from ``first_user`` on (see :func:`session_users`). With
    ``still_pause`` there is a gap wherever the blaster lies still for more than 1.5 s, as in a real log. ``boots`` cuts
    the session into as many equal parts, before each of which the clock starts over.

    The same arguments give the same bytes, with the same NumPy. Raises :class:`InputError` for a value that means nothing.
    """
    if not 0 < minutes <= MAX_MINUTES:
        raise InputError(f"{minutes:g} minutes: expected more than 0 and at most {MAX_MINUTES}")
    if not 1 <= boots <= _MAX_BOOTS:
        raise InputError(f"{boots} boots: expected 1 to {_MAX_BOOTS}")
    people = [draw_user(number) for number in session_users(seed, users, first_user)]
    steps = math.ceil(minutes * 60_000 / boots / _STEP_MS)
    parts: list[SampleArray] = []
    for boot in range(boots):
        for samples in _logged_rounds(seed, boot, people, still_pause=still_pause):
            # A boot's clock does not wrap within a day, so its samples are in order.
            inside = int(np.searchsorted(samples["timestamp_ms"], steps * _STEP_MS))
            parts.append(samples[:inside])
            if inside < samples.shape[0]:
                break
    return np.concatenate(parts)


def synthetic_blocks(
    *,
    seed: int,
    block_samples: int,
    users: int = 1,
    first_user: int | None = None,
    still_pause: bool = True,
    boot: int = 0,
    start_ms: int = 0,
) -> Iterator[SampleArray]:
    """The same session without an end, as blocks of ``block_samples``: memory for about one round.

    However long the blocks, their samples are those of :func:`synthesise` with the same arguments. ``boot`` chooses the
    part after that many restarts. Raises :class:`InputError` at once for a value that means nothing.
    """
    if block_samples < 1:
        raise InputError(f"blocks of {block_samples} samples: expected at least 1")
    if not 0 <= boot < _MAX_BOOTS:
        raise InputError(f"boot {boot}: expected 0 to {_MAX_BOOTS - 1}")
    people = [draw_user(number) for number in session_users(seed, users, first_user)]
    return _blocks(_logged_rounds(seed, boot, people, still_pause=still_pause, start_ms=start_ms), block_samples)


def session_users(seed: int, users: int = 1, first_user: int | None = None) -> range:
    """The numbers of the users who take turns in a session.

    They follow one another, from ``first_user`` on or, without it, from a number that the seed draws out of four
    thousand million: sessions of different seeds then have no user in common. Raises :class:`InputError`.
    """
    if not 0 <= seed < _MAX_NUMBER:
        raise InputError(f"seed {seed}: expected 0 to {_MAX_NUMBER - 1}")
    if not 1 <= users <= _MAX_USERS:
        raise InputError(f"{users} users: expected 1 to {_MAX_USERS}")
    if first_user is None:
        first_user = int(np.random.default_rng([seed, _FIRST_USER]).integers(_MAX_NUMBER))
    if not 0 <= first_user < _MAX_NUMBER:
        raise InputError(f"user {first_user}: expected 0 to {_MAX_NUMBER - 1}")
    return range(first_user, first_user + users)


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """One round: what was meant, and what the sensor and the switch made of it, ``n`` samples 10 ms apart."""

    script: Script
    axes: npt.NDArray[np.int16]
    """``(n, 6)`` raw LSB."""
    trigger: npt.NDArray[np.uint8]
    """``(n,)``: 0 or 1."""
    lies: npt.NDArray[np.bool_]
    """``(n,)``: whether the blaster lies still."""


def play_round(seed: int, boot: int, number: int, user: User, sensor: Sensor) -> Round:
    """The round of that number, from 0, after that boot: does not depend on the rounds before it."""
    rng = np.random.default_rng([seed, _ROUND, boot, number])
    script = write_round(user, rng)
    axes = sense(move(script, user, rng), sensor, user, rng)
    count = axes.shape[0]
    lies = np.zeros(count, dtype=np.bool_)
    lies[: math.floor(script.picked_up_s * SAMPLE_RATE_HZ)] = True
    lies[math.ceil(script.put_down_s * SAMPLE_RATE_HZ) :] = True
    return Round(script=script, axes=axes, trigger=_switch(script.pulls, count), lies=lies)


def play_sensor(seed: int, boot: int) -> Sensor:
    """The sensor as it is after that boot."""
    return draw_sensor(np.random.default_rng([seed, _SENSOR, boot]))


def _logged_rounds(
    seed: int, boot: int, users: list[User], *, still_pause: bool, start_ms: int = 0
) -> Iterator[SampleArray]:
    """The rounds after one boot without an end, each as the samples that its logger wrote."""
    sensor = play_sensor(seed, boot)
    now_ms = start_ms
    number = lain = 0
    while True:
        played = play_round(seed, boot, number, users[number % len(users)], sensor)
        count = played.lies.size
        samples = make_samples(now_ms + _STEP_MS * np.arange(count), played.axes, played.trigger)
        still = _still_for(played.lies, lain)
        yield samples[still <= STILL_PAUSE_MS // _STEP_MS] if still_pause else samples
        lain = int(still[-1])
        now_ms += _STEP_MS * count
        number += 1


def _still_for(lies: npt.NDArray[np.bool_], before: int) -> npt.NDArray[np.int64]:
    """For how many samples up to each one ``(n,)`` the blaster has lain still; ``before`` of them before the first."""
    index = np.arange(1, lies.size + 1)
    return np.asarray(index - np.maximum.accumulate(np.where(lies, -before, index)))


def _switch(pulls: list[Pull], count: int) -> npt.NDArray[np.uint8]:
    trigger = np.zeros(count, dtype=np.uint8)
    for pull in pulls:
        first = round(pull.time_s * SAMPLE_RATE_HZ)
        trigger[first : first + round(pull.held_s * SAMPLE_RATE_HZ)] = 1
    return trigger


def _blocks(parts: Iterator[SampleArray], block_samples: int) -> Iterator[SampleArray]:
    """The samples of ``parts``, an endless iterator, as blocks of one length."""
    kept: SampleArray = np.empty(0, dtype=SAMPLE_DTYPE)
    for part in parts:
        waiting = np.concatenate((kept, part))
        whole = waiting.shape[0] - waiting.shape[0] % block_samples
        for start in range(0, whole, block_samples):
            yield waiting[start : start + block_samples].copy()
        kept = waiting[whole:]

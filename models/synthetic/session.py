"""Synthetic sessions: rounds one after another, as a logger would record them."""

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
"""One day; use :func:`synthetic_blocks` for longer sessions."""

_STEP_MS: Final = 1000 // SAMPLE_RATE_HZ
_MAX_USERS: Final = 10_000
_MAX_BOOTS: Final = 1000
_MAX_NUMBER: Final = 2**32
_SENSOR, _ROUND, _FIRST_USER = range(3)
"""Purposes of random numbers: each has its own generator, so that more numbers for one do not change the others."""


def synthesise(
    *,
    minutes: float,
    seed: int,
    users: int = 1,
    first_user: int | None = None,
    still_pause: bool = True,
    boots: int = 1,
) -> SampleArray:
    """Generate a session of ``minutes`` by the blaster's clock.

    Returns ``(n,)`` samples from time 0, 10 ms apart except at gaps. ``users`` people take turns, round by round,
    numbered from ``first_user`` on (see :func:`session_users`). With ``still_pause`` there is a gap wherever the
    blaster lies still for more than 1.5 s, as in a real log. ``boots`` divides the session into this number of equal
    parts, each with a clock that starts at 0.

    The same arguments give the same bytes, with the same NumPy. Raises :class:`InputError` for a value out of range.
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
    """Generate the same session without an end, as blocks of ``block_samples``; uses memory for about one round.

    The samples are those of :func:`synthesise` with the same arguments, for any length of block. ``boot`` is the number
    of the part; its clock starts at ``start_ms``. Raises :class:`InputError` at once for a value out of range.
    """
    if block_samples < 1:
        raise InputError(f"blocks of {block_samples} samples: expected at least 1")
    if not 0 <= boot < _MAX_BOOTS:
        raise InputError(f"boot {boot}: expected 0 to {_MAX_BOOTS - 1}")
    people = [draw_user(number) for number in session_users(seed, users, first_user)]
    return _blocks(_logged_rounds(seed, boot, people, still_pause=still_pause, start_ms=start_ms), block_samples)


def session_users(seed: int, users: int = 1, first_user: int | None = None) -> range:
    """Return the numbers of the users who take turns in a session.

    They are consecutive, from ``first_user`` on or, without it, from one of 2**32 numbers drawn with the seed: sessions
    of different seeds then have no user in common. Raises :class:`InputError` for a value out of range.
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
    """One round: its script, and the ``n`` samples of sensor and trigger switch, 10 ms apart."""

    script: Script
    axes: npt.NDArray[np.int16]
    """``(n, 6)`` raw LSB."""
    trigger: npt.NDArray[np.uint8]
    """``(n,)``: 0 or 1."""
    lies: npt.NDArray[np.bool_]
    """``(n,)``: whether the blaster lies still."""


def play_round(seed: int, boot: int, number: int, user: User, sensor: Sensor) -> Round:
    """Generate the round with ``number``, from 0, of part ``boot``; it does not depend on the rounds before it."""
    rng = np.random.default_rng([seed, _ROUND, boot, number])
    script = write_round(user, rng)
    axes = sense(move(script, user, rng), sensor, user, rng)
    count = axes.shape[0]
    lies = np.zeros(count, dtype=np.bool_)
    lies[: math.floor(script.picked_up_s * SAMPLE_RATE_HZ)] = True
    lies[math.ceil(script.put_down_s * SAMPLE_RATE_HZ) :] = True
    return Round(script=script, axes=axes, trigger=_switch(script.pulls, count), lies=lies)


def play_sensor(seed: int, boot: int) -> Sensor:
    """Return the sensor during part ``boot``."""
    return draw_sensor(np.random.default_rng([seed, _SENSOR, boot]))


def _logged_rounds(
    seed: int, boot: int, users: list[User], *, still_pause: bool, start_ms: int = 0
) -> Iterator[SampleArray]:
    """Yield the rounds of one boot without an end, each as the samples that the logger writes."""
    sensor = play_sensor(seed, boot)
    now_ms = start_ms
    number = still_before = 0
    while True:
        played = play_round(seed, boot, number, users[number % len(users)], sensor)
        count = played.lies.size
        samples = make_samples(now_ms + _STEP_MS * np.arange(count), played.axes, played.trigger)
        still = _still_for(played.lies, still_before)
        yield samples[still <= STILL_PAUSE_MS // _STEP_MS] if still_pause else samples
        still_before = int(still[-1])
        now_ms += _STEP_MS * count
        number += 1


def _still_for(lies: npt.NDArray[np.bool_], before: int) -> npt.NDArray[np.int64]:
    """Return for each sample ``(n,)`` how many samples the blaster has been lying still; ``before`` ones before the first."""
    index = np.arange(1, lies.size + 1)
    return np.asarray(index - np.maximum.accumulate(np.where(lies, -before, index)))


def _switch(pulls: list[Pull], count: int) -> npt.NDArray[np.uint8]:
    trigger = np.zeros(count, dtype=np.uint8)
    for pull in pulls:
        first = round(pull.time_s * SAMPLE_RATE_HZ)
        trigger[first : first + round(pull.held_s * SAMPLE_RATE_HZ)] = 1
    return trigger


def _blocks(parts: Iterator[SampleArray], block_samples: int) -> Iterator[SampleArray]:
    """Yield the samples of ``parts``, an endless iterator, as blocks of equal length."""
    kept: SampleArray = np.empty(0, dtype=SAMPLE_DTYPE)
    for part in parts:
        waiting = np.concatenate((kept, part))
        whole = waiting.shape[0] - waiting.shape[0] % block_samples
        for start in range(0, whole, block_samples):
            yield waiting[start : start + block_samples].copy()
        kept = waiting[whole:]

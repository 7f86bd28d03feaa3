"""Decisions for many blasters in few array operations, as long as nothing switches: nearly all blocks of a hall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from models.decision import LATE_MS, NEVER_MS, Decision

_MARGIN: Final = 1e-9
"""A level that comes this near to a threshold is followed exactly: rounding cannot move an envelope that far."""
_MIN_ARRAY_BLASTERS: Final = 40
"""From this number of blasters on, following all envelopes at once is faster than one after another."""


def advance_quiet(
    decisions: Sequence[Decision],
    time_ms: npt.NDArray[np.int64],
    probability: npt.NDArray[np.float32],
    starts: npt.NDArray[np.intp],
    allowed: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Process the next samples of several blasters where that switches no wheels.

    Return ``(k,)``: whether it was done. Block ``i`` belongs to ``decisions[i]``: at least one sample, ``starts[i]`` to
    ``starts[i + 1]`` of the times and probabilities ``(n,)``, as for :meth:`Decision.push`; within a block, time never
    decreases. Where this returns True, the state is the same as after that method. Left to it are blocks in which
    wheels switch, time jumps or only some samples have a probability, and those that are not ``allowed`` ``(k,)``.
    """
    begins = starts[:-1]
    sample_ms = np.array([one.output_ms if one.output_ms == one.sample_ms else NEVER_MS for one in decisions])
    level = np.array([one.envelope for one in decisions])
    wheels = [one.wheels for one in decisions]
    values = probability.astype(np.float64)
    missing = np.isnan(values)
    step_ms = np.empty_like(time_ms)
    np.subtract(time_ms[1:], time_ms[:-1], out=step_ms[1:])
    step_ms[begins] = time_ms[begins] - sample_ms
    regular = (step_ms >= 0) & (step_ms < LATE_MS) & ~missing
    # An envelope never leaves the range of its own level and the probabilities.
    highest = np.maximum(np.maximum.reduceat(values, begins), level)
    steady = highest < np.array([one.parameters.on for one in decisions]) - _MARGIN
    if True in wheels:
        lowest = np.minimum(np.minimum.reduceat(values, begins), level)
        stays_on = lowest >= np.array([one.parameters.off for one in decisions]) + _MARGIN
        steady = np.where(wheels, stays_on, steady)
    # A step from NEVER_MS is not regular, so a blaster without an output before this block is not quiet here.
    followed: npt.NDArray[np.bool_] = np.logical_and.reduceat(regular, begins) & allowed
    quiet: npt.NDArray[np.bool_] = followed & steady
    chosen = np.flatnonzero(quiet)
    ends = starts[1:] - 1
    levels = _followed(decisions, values, starts, chosen, level)
    for i, end_ms, held, envelope in zip(
        chosen.tolist(), time_ms[ends[chosen]].tolist(), values[ends[chosen]].tolist(), levels, strict=True
    ):
        decisions[i].advance_quietly(end_ms, held, envelope)
    for i in np.flatnonzero(followed & ~steady).tolist():
        own: list[float] = values[starts[i] : starts[i + 1]].tolist()
        end_level = _level_unless_switched(decisions[i], own)
        if end_level is not None:
            decisions[i].advance_quietly(int(time_ms[ends[i]]), own[-1], end_level)
            quiet[i] = True
    if missing.any():
        # Within a block, time never decreases: only its first sample may go back.
        for i in np.flatnonzero(np.logical_and.reduceat(missing, begins) & allowed).tolist():
            quiet[i] = _pass_without_output(decisions[i], int(time_ms[begins[i]]), int(time_ms[ends[i]]))
    return quiet


def _pass_without_output(decision: Decision, first_ms: int, last_ms: int) -> bool:
    """Process samples of one blaster of which none has a probability, if it had none before: its window is not full yet."""
    if decision.output_ms != NEVER_MS or first_ms < (decision.sample_ms or 0):
        return False
    decision.pass_without_output(last_ms)
    return True


def _level_unless_switched(decision: Decision, probabilities: list[float]) -> float | None:
    """Return the level of the envelope after ``probabilities``; ``None`` if wheels switch on the way."""
    parameters, s, wheels = decision.parameters, decision.envelope, decision.wheels
    for p in probabilities:
        s += (parameters.attack if p > s else parameters.release) * (p - s)
        if s < parameters.off if wheels else s >= parameters.on:
            return None
    return s


def _followed(
    decisions: Sequence[Decision],
    values: npt.NDArray[np.float64],
    starts: npt.NDArray[np.intp],
    chosen: npt.NDArray[np.intp],
    level: npt.NDArray[np.float64],
) -> list[float]:
    """Return the level of the envelope at the end of each of the ``chosen`` blocks, from ``level`` ``(k,)`` at its start."""
    lengths = starts[1:][chosen] - starts[:-1][chosen]
    if chosen.size >= _MIN_ARRAY_BLASTERS and (lengths == lengths[0]).all():
        return _followed_at_once(decisions, values, starts, chosen, level)
    levels: list[float] = []
    bounds, at = starts.tolist(), level.tolist()
    for i in chosen.tolist():
        parameters, s = decisions[i].parameters, at[i]
        attack, release = parameters.attack, parameters.release
        for p in values[bounds[i] : bounds[i + 1]].tolist():
            s += (attack if p > s else release) * (p - s)
        levels.append(s)
    return levels


def _followed_at_once(
    decisions: Sequence[Decision],
    values: npt.NDArray[np.float64],
    starts: npt.NDArray[np.intp],
    chosen: npt.NDArray[np.intp],
    level: npt.NDArray[np.float64],
) -> list[float]:
    """Return the same as :func:`_followed` for blocks of one length, one step of all envelopes at a time."""
    length = int(starts[chosen[0] + 1] - starts[chosen[0]])
    steps = values[starts[:-1][chosen] + np.arange(length)[:, None]]
    attack = np.array([decisions[i].parameters.attack for i in chosen.tolist()])
    release = np.array([decisions[i].parameters.release for i in chosen.tolist()])
    s = level[chosen]
    for p in steps:
        s = s + np.where(p > s, attack, release) * (p - s)
    result: list[float] = s.tolist()
    return result

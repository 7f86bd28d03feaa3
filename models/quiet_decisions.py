"""Decisions for many blasters in few array operations, as long as nothing switches: nearly all blocks of a hall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from models.decision import LATE_MS, NEVER_MS, Decision

_MARGIN: Final = 1e-9
"""Wheels are taken to switch if a level comes this near to a threshold: rounding cannot move an envelope that far."""
_MIN_ARRAY_BLASTERS: Final = 40
"""From this number of blasters on, following all envelopes at once is faster than one after another."""


def advance_quiet(
    decisions: Sequence[Decision],
    time_ms: npt.NDArray[np.int64],
    probability: npt.NDArray[np.float32],
    starts: npt.NDArray[np.intp],
    allowed: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Process the next samples of several blasters where that surely switches no wheels; return ``(k,)``: where it was done.

    Block ``i``, at least one sample, belongs to ``decisions[i]`` and is ``starts[i]`` to ``starts[i + 1]`` of the times and
    probabilities ``(n,)``, as for :meth:`Decision.push`. Its state is then the same as after that method. Blocks in which
    wheels may switch, time jumps or a sample has no probability are left to it, and those that are not ``allowed`` ``(k,)``.
    """
    begins = starts[:-1]
    sample_ms = np.array([one.output_ms if one.output_ms == one.sample_ms else NEVER_MS for one in decisions])
    level = np.array([one.envelope for one in decisions])
    wheels = [one.wheels for one in decisions]
    values = probability.astype(np.float64)
    step_ms = np.empty_like(time_ms)
    np.subtract(time_ms[1:], time_ms[:-1], out=step_ms[1:])
    step_ms[begins] = time_ms[begins] - sample_ms
    regular = (step_ms >= 0) & (step_ms < LATE_MS) & (values == values)  # noqa: PLR0124 - false for NaN
    # An envelope never leaves the range of its own level and the probabilities.
    highest = np.maximum(np.maximum.reduceat(values, begins), level)
    steady = highest < np.array([one.parameters.on for one in decisions]) - _MARGIN
    if True in wheels:
        lowest = np.minimum(np.minimum.reduceat(values, begins), level)
        stays_on = lowest >= np.array([one.parameters.off for one in decisions]) + _MARGIN
        steady = np.where(wheels, stays_on, steady)
    # A step from NEVER_MS is not regular, so a device without an output before this block is not quiet.
    quiet: npt.NDArray[np.bool_] = np.logical_and.reduceat(regular, begins) & steady & allowed
    chosen = np.flatnonzero(quiet)
    ends = starts[1:][chosen] - 1
    levels = _followed(decisions, values, starts, chosen, level)
    for i, end_ms, held, envelope in zip(
        chosen.tolist(), time_ms[ends].tolist(), values[ends].tolist(), levels, strict=True
    ):
        decisions[i].advance_quietly(end_ms, held, envelope)
    return quiet


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

"""The cost of a model's behaviour with stated weights, for each threshold and each block of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.decision_parameters import DecisionParameters
from replay.evaluation.evaluate import Evaluation, FollowedTrace
from replay.evaluation.events import match_events
from replay.trace import Trace
from stinger.shots import MIN_LEAD_MS

Numbers = npt.NDArray[np.float64]

LONGEST_BLOCK_S: Final = 60.0
SHORTEST_BLOCK_S: Final = 10.0
"""A block is several spin-ups long, so that what happens in one block is nearly independent of the next."""
_WANTED_BLOCKS: Final = 30
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class CostWeights:
    """The cost of a missed shot (an accepted one not in time), of a false spin-up, and of a minute with wheels on.

    Only their ratios matter. The defaults: twenty seconds of wheels, which are heard and drain the battery, are as bad
    as a missed shot; a false spin-up costs a tenth of a missed shot, and the time that its wheels are on. With them,
    neither wheels that never stop (3 a minute) nor wheels that never start (1 for each shot) are cheap.

    With ``enough_in_time``, parameters are chosen as if missed shots cost nothing until fewer than this share of the
    shots is in time. Comparisons of models use :attr:`each`, so they count every missed shot.
    """

    missed_shot: float = 1.0
    false_spin_up: float = 0.1
    minute_on: float = 3.0
    enough_in_time: float = 1.0

    @property
    def each(self) -> Numbers:
        """``(3,)``: the weights in the order of :attr:`CostTable.counts`."""
        return np.array([self.missed_shot, self.false_spin_up, self.minute_on])

    def total(self, counts: Numbers, shots: float) -> Numbers:
        """Return the cost ``(...)`` of ``counts`` ``(..., 3)`` of data with ``shots`` accepted shots.

        Of the missed shots, only whole ones cost nothing: with few shots, the share in time is not known well enough to
        give any of them away.
        """
        free = math.floor((1 - self.enough_in_time) * shots + _ROUNDING)
        missed = np.maximum(counts[..., 0] - free, 0)
        total: Numbers = self.missed_shot * missed + counts[..., 1:] @ self.each[1:]
        return total


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Blocks of time of several sessions; ``u`` in all.

    ``edges`` are, for each session, the positions of the samples at which its blocks start, and its number of samples.
    ``session`` ``(u,)`` is the position of each block's session. ``part`` ``(u,)`` divides the blocks for the choice of
    a threshold: that for the blocks of one part is chosen on all other parts. Parts are sessions, or stretches of time
    if only one session has shots. ``shots`` ``(u,)`` are the accepted shots, ``minutes`` ``(u,)`` the recorded time.
    """

    edges: tuple[npt.NDArray[np.int64], ...]
    session: npt.NDArray[np.int64]
    part: npt.NDArray[np.int64]
    shots: Numbers
    minutes: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class CostTable:
    """``counts`` ``(t, u, 3)`` for t decision ``parameters`` and u blocks: missed shots, false spin-ups, minutes on."""

    parameters: tuple[DecisionParameters, ...]
    counts: Numbers


def divide_into_blocks(traces: Sequence[Trace], *, time_parts: int = 5) -> Blocks:
    """Divide ``traces`` into blocks of 10 to 60 seconds, at least 30 if they are long enough.

    If fewer than two sessions have shots, the parts are ``time_parts`` stretches of time.
    """
    minutes = [trace.session.recording.recorded_ms / 60_000 for trace in traces]
    block_s = min(LONGEST_BLOCK_S, max(SHORTEST_BLOCK_S, 60 * sum(minutes) / _WANTED_BLOCKS))
    edges, session, shots, durations = [], [], [], []
    for position, (trace, duration) in enumerate(zip(traces, minutes, strict=True)):
        samples = trace.time_ms.size
        count = max(1, round(60 * duration / block_s))
        own = np.linspace(0, samples, count + 1).round().astype(np.int64)
        edges.append(own)
        session += [position] * count
        accepted = trace.session.shots.index[trace.session.shots.accepted]
        shots.append(_per_block(accepted, own))
        durations.append(np.diff(own) / max(samples, 1) * duration)
    block_session = np.array(session, dtype=np.int64)
    if sum(trace.session.accepted_shots > 0 for trace in traces) > 1:
        part = block_session
    else:
        part = np.arange(block_session.size) * time_parts // max(block_session.size, 1)
    return Blocks(tuple(edges), block_session, part, np.concatenate(shots), np.concatenate(durations))


def cost_table(
    followed: Sequence[FollowedTrace],
    blocks: Blocks,
    parameters: Sequence[DecisionParameters],
    *,
    min_lead_ms: float = MIN_LEAD_MS,
) -> CostTable:
    """Count, with each of ``parameters``, the missed shots, false spin-ups and minutes with wheels on in each block.

    The parameters differ only in their thresholds from those that the envelopes of ``followed`` were computed with.
    """
    counts = [
        np.concatenate([_count(one, edges, at, min_lead_ms) for one, edges in zip(followed, blocks.edges, strict=True)])
        for at in parameters
    ]
    return CostTable(tuple(parameters), np.stack(counts))


def cost_per_minute(evaluation: Evaluation, weights: CostWeights) -> float:
    """Return the cost of ``evaluation`` by ``weights`` for each recorded minute."""
    missed = evaluation.accepted.total - evaluation.accepted.count
    counts = np.array([missed, evaluation.false.count, evaluation.duty * evaluation.minutes])
    total = float(weights.total(counts, evaluation.accepted.total))
    return total / evaluation.minutes if evaluation.minutes else math.nan


def _count(
    followed: FollowedTrace, edges: npt.NDArray[np.int64], parameters: DecisionParameters, min_lead_ms: float
) -> Numbers:
    """Return ``(b, 3)`` counts for the b blocks of a trace. A spin-up counts in the block in which it begins."""
    trace = followed.trace
    spin_ups = followed.levels.spin_ups(parameters.on, parameters.off)
    shots = trace.session.shots.without_dismissed()
    events = match_events(
        spin_ups.times_ms, shots.time_ms, min_lead_ms=min_lead_ms, dismissed_ms=trace.session.shots.dismissed_ms
    )
    on, off = spin_ups.samples.T
    missed = _per_block(shots.index[shots.accepted & ~events.in_time], edges)
    false = _per_block(on[events.false], edges)
    # Number of samples with wheels on before each edge: those of all whole spin-ups, and of the one that spans the
    # edge.
    lengths = np.concatenate(([0], np.cumsum(off - on)))
    begun = np.searchsorted(on, edges, side="left")
    ends = np.concatenate(([0], off))[begun]
    before = lengths[begun] - np.maximum(ends - edges, 0)
    minutes = np.diff(before) * trace.step_ms / 60_000
    return np.stack([missed, false, minutes], axis=1)


def _per_block(positions: npt.NDArray[np.integer], edges: npt.NDArray[np.int64]) -> Numbers:
    """Return how many of ``positions`` are in each block; one after the last sample counts in the last block."""
    count = edges.size - 1
    block = np.minimum(np.searchsorted(edges, positions, side="right") - 1, count - 1)
    return np.bincount(block, minlength=count).astype(np.float64)

"""Evaluate the blaster's idle mode *Dynamic*, in which the speed of the wheels follows the probability.

Source of the rule and of its numbers: the Stinger firmware, which updates the wanted speed once every 10 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.decision_parameters import STEP_MS, DecisionParameters
from replay.evaluation.intervals import Ratio, wilson
from replay.trace import Trace
from stinger.shots import MIN_LEAD_MS

IDLE_RPM: Final = 5000
"""The blaster's default for 'Idle RPM', the full speed of its idling wheels."""
LOWEST_RPM: Final = 1000
"""Speed at the lower threshold."""
NEARLY_FULL: Final = 0.9
"""From this share of the full speed on, wheels count as up to speed."""

_FASTER: Final = 0.40
_SLOWER: Final = 0.05

Speeds = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DynamicMode:
    """The speed of the wheels as shares of ``idle_rpm``, over the accepted shots of all traces.

    ``at_shot`` are the mean, and the 5th, 50th and 95th percentile, at an accepted shot; ``None`` without one.
    ``by_chance`` is the mean over time: the mean at a random moment. ``in_time`` are the accepted shots for which the
    speed was at least :data:`NEARLY_FULL`, without interruption, from ``min_lead_ms`` before the shot;
    ``in_time_by_chance`` is the fraction of samples at which a shot would be in time. ``turning`` is the fraction of
    time in which the wheels turn at all. Speeds are those that the blaster sets: real wheels follow within about 100
    ms.
    """

    idle_rpm: int
    at_shot: tuple[float, float, float, float] | None
    by_chance: float
    in_time: Ratio
    in_time_by_chance: float
    turning: float


def evaluate_dynamic(
    traces: Sequence[Trace],
    parameters: DecisionParameters,
    *,
    idle_rpm: int = IDLE_RPM,
    min_lead_ms: float = MIN_LEAD_MS,
) -> DynamicMode:
    """Follow the speed of the wheels over ``traces``. Of ``parameters``, the two thresholds and ``stale_ms`` matter."""
    speeds = [wheel_speed(trace, parameters, idle_rpm=idle_rpm) for trace in traces]
    over_time = np.concatenate(speeds) if speeds else np.empty(0)
    fast = [_fast_for_ms(trace.time_ms, speed) >= min_lead_ms for speed, trace in zip(speeds, traces, strict=True)]
    fast_over_time = np.concatenate(fast) if fast else np.empty(0, dtype=np.bool_)
    starts = np.cumsum([0, *(speed.size for speed in speeds)])
    shots = [trace.session.shots.index[trace.session.shots.accepted] for trace in traces]
    at = np.concatenate([start + own for start, own in zip(starts, shots, strict=False)]) if shots else np.empty(0, int)
    at_shot = over_time[at]
    p5, p50, p95 = np.percentile(at_shot, (5, 50, 95)).tolist() if at_shot.size else (0.0, 0.0, 0.0)
    return DynamicMode(
        idle_rpm=idle_rpm,
        at_shot=(float(at_shot.mean()), p5, p50, p95) if at_shot.size else None,
        by_chance=_mean(over_time),
        in_time=wilson(int(np.count_nonzero(fast_over_time[at])), at_shot.size),
        in_time_by_chance=_mean(fast_over_time),
        turning=_mean(over_time >= 1 / idle_rpm),
    )


def wheel_speed(trace: Trace, parameters: DecisionParameters, *, idle_rpm: int = IDLE_RPM) -> Speeds:
    """Return the speed after each of the n samples of ``trace``, ``(n,)``, as a share of ``idle_rpm``.

    Below the lower threshold, no speed is wanted; from there on, one from :data:`LOWEST_RPM` up to ``idle_rpm`` at the
    upper threshold. Every 10 ms, the speed moves by a fraction of its distance to the wanted one. A sample without an
    output, and a missing one, keep the wanted speed; once the output is ``stale_ms`` old, the wheels are off.
    """
    lowest = min(LOWEST_RPM, idle_rpm) / idle_rpm
    on, off = parameters.on, parameters.off
    rise = np.clip((trace.probability.astype(np.float64) - off) / (on - off), 0, 1)
    wanted = np.where(trace.probability >= off, lowest + (1 - lowest) * rise, 0.0)
    known = ~np.isnan(trace.probability)
    speeds = np.empty(wanted.size)
    speed = held = 0.0
    output_ms = before_ms = None
    for i, (now_ms, want, has_output) in enumerate(
        zip(trace.time_ms.tolist(), wanted.tolist(), known.tolist(), strict=True)
    ):
        if before_ms is not None:
            for step in range(1, (now_ms - before_ms + STEP_MS // 2) // STEP_MS):
                if output_ms is None or before_ms + step * STEP_MS - output_ms >= parameters.stale_ms:
                    speed = 0.0
                    break
                speed += (_FASTER if held > speed else _SLOWER) * (held - speed)
        before_ms = now_ms
        if has_output:
            held, output_ms = want, now_ms
        if output_ms is None or now_ms - output_ms >= parameters.stale_ms:
            speed = 0.0
        else:
            speed += (_FASTER if held > speed else _SLOWER) * (held - speed)
        speeds[i] = speed
    return speeds


def _fast_for_ms(time_ms: npt.NDArray[np.int64], speed: Speeds) -> Speeds:
    """Return how long the speed has been at least :data:`NEARLY_FULL` at each sample ``(n,)``; -1 if it is lower."""
    slow = speed < NEARLY_FULL
    position = np.arange(speed.size)
    since = np.maximum.accumulate(np.where(slow, position, -1)) + 1
    return np.where(slow, -1.0, time_ms - time_ms[np.minimum(since, speed.size - 1)])


def _mean(values: npt.NDArray[np.floating] | npt.NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if values.size else 0.0

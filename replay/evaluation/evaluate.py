"""Measure a model on a stream of samples: shots in time, false spin-ups, lead, duty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from models.decision_parameters import DecisionParameters
from models.levels import Levels
from models.windows import followed_within
from replay.evaluation.events import Events, SpinUpKind, match_events, near_a_shot
from replay.evaluation.intervals import Rate, Ratio, median_interval, poisson, wilson
from replay.trace import Trace, levels_of
from stinger.shots import MIN_LEAD_MS

SOONEST_MS: Final = 100
LATEST_MS: Final = 300
"""For the average precision, a sample is positive if a shot comes 100 to 300 ms after it."""


@dataclass(frozen=True, slots=True)
class Lead:
    """Percentiles, in ms, of the time from wheels on to shot.

    The ``shots`` that count are accepted ones, the first in each spin-up. ``p50_low_ms`` to ``p50_high_ms`` is the 95 %
    interval of the median.
    """

    shots: int
    p5_ms: float
    p50_ms: float
    p95_ms: float
    p50_low_ms: float
    p50_high_ms: float


@dataclass(frozen=True, slots=True)
class SpinUpCounts:
    """The numbers of spin-ups ``carrying`` a shot, of ``repeats`` and of ``false`` ones.

    ``early`` ones are among the false: no shot came while the wheels were on, but soon after. Not counted are those at
    trigger edges that a person marked as no shot.
    """

    carrying: int
    repeats: int
    false: int
    early: int

    @property
    def total(self) -> int:
        """Number of all these spin-ups."""
        return self.carrying + self.repeats + self.false


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of traces at one operating point; :mod:`replay.evaluation.events` defines the terms.

    ``accepted`` and ``all_shots`` are the shots in time among the accepted shots and among all trigger edges. Of the
    accepted shots, ``late`` came when the wheels were on for less than ``min_lead_ms``, ``wheels_off`` when they were
    off; among both, ``without_output`` came when the model had no output ``min_lead_ms`` before (after the start of a
    recording or after a gap). ``further_shots`` came during a spin-up that already had a shot. ``false`` is the rate of
    false spin-ups over ``minutes``, ``false_quiet`` over ``quiet_minutes``, in which no shot is near. ``duty`` is the
    fraction of samples with wheels on; ``by_chance`` is the fraction of samples at which a shot would have been in
    time, to compare recall with.
    """

    parameters: DecisionParameters
    min_lead_ms: float
    minutes: float
    quiet_minutes: float
    accepted: Ratio
    all_shots: Ratio
    late: int
    wheels_off: int
    without_output: int
    further_shots: int
    spin_ups: SpinUpCounts
    false: Rate
    false_quiet: Rate
    lead: Lead | None
    duty: float
    by_chance: float


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """``value`` over ``samples`` samples; ``by_chance`` is the fraction of positives, the value of random output."""

    value: float
    by_chance: float
    samples: int


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The results of one trace."""

    events: Events
    accepted: npt.NDArray[np.bool_]
    has_output: npt.NDArray[np.bool_]
    false_quiet: int
    samples_on: int
    samples_ready: int
    minutes: float
    quiet_minutes: float


def evaluate(
    traces: Sequence[Trace], parameters: DecisionParameters, *, min_lead_ms: float = MIN_LEAD_MS
) -> Evaluation:
    """Apply the decision to each of ``traces``, from its start, and count shots in time and false spin-ups.

    Only recorded minutes count, without gaps.
    """
    return evaluate_followed(follow_traces(traces, parameters), parameters, min_lead_ms=min_lead_ms)


@dataclass(frozen=True, slots=True, eq=False)
class FollowedTrace:
    """A trace with the levels of its envelope, and the minutes in which no shot is near: the same at any threshold."""

    trace: Trace
    levels: Levels
    quiet_minutes: float


def follow_traces(traces: Sequence[Trace], parameters: DecisionParameters) -> tuple[FollowedTrace, ...]:
    """Compute what does not depend on the threshold.

    Of ``parameters``, ``attack``, ``release`` and ``stale_ms`` are used.
    """
    return tuple(FollowedTrace(trace, levels_of(trace, parameters), _quiet_minutes(trace)) for trace in traces)


def evaluate_followed(
    followed: Sequence[FollowedTrace], parameters: DecisionParameters, *, min_lead_ms: float = MIN_LEAD_MS
) -> Evaluation:
    """Evaluate as :func:`evaluate` does, from the result of :func:`follow_traces`.

    It must have been called with the same ``parameters``, thresholds aside.
    """
    traces = [one.trace for one in followed]
    parts = [_part(one, parameters, min_lead_ms) for one in followed]
    minutes = sum(part.minutes for part in parts)
    quiet_minutes = sum(part.quiet_minutes for part in parts)
    accepted = _joined([part.accepted for part in parts])
    in_time = _joined([part.events.in_time for part in parts])
    wheels_on = _joined([part.events.holder >= 0 for part in parts])
    has_output = _joined([part.has_output for part in parts])
    counts = {kind: sum(part.events.count(kind) for part in parts) for kind in SpinUpKind}
    false = sum(_count(part.events.false) for part in parts)
    samples = sum(trace.time_ms.size for trace in traces)
    return Evaluation(
        parameters=parameters,
        min_lead_ms=min_lead_ms,
        minutes=minutes,
        quiet_minutes=quiet_minutes,
        accepted=wilson(_count(in_time & accepted), _count(accepted)),
        all_shots=wilson(_count(in_time), in_time.size),
        late=_count(accepted & wheels_on & ~in_time),
        wheels_off=_count(accepted & ~wheels_on),
        without_output=_count(accepted & ~in_time & ~has_output),
        further_shots=_count(wheels_on) - counts[SpinUpKind.WITH_SHOT],
        spin_ups=SpinUpCounts(
            carrying=counts[SpinUpKind.WITH_SHOT],
            repeats=counts[SpinUpKind.REPEAT],
            false=false,
            early=counts[SpinUpKind.EARLY],
        ),
        false=poisson(false, minutes),
        false_quiet=poisson(sum(part.false_quiet for part in parts), quiet_minutes),
        lead=_lead(parts),
        duty=sum(part.samples_on for part in parts) / samples if samples else 0.0,
        by_chance=sum(part.samples_ready for part in parts) / samples if samples else 0.0,
    )


def average_precision(traces: Sequence[Trace]) -> AveragePrecision | None:
    """Return the average precision of the output for an accepted shot 100 to 300 ms later.

    Samples without an output, and those followed by rejected edges only, are left out. ``None`` without a positive.
    """
    from sklearn.metrics import average_precision_score  # noqa: PLC0415 - half a second to import

    labels, outputs = [], []
    for trace in traces:
        positive, counted = positive_samples(trace)
        labels.append(positive[counted])
        outputs.append(trace.probability[counted])
    label = _joined(labels)
    if not label.any():
        return None
    value = float(average_precision_score(label, np.concatenate(outputs)))
    return AveragePrecision(value=value, by_chance=float(label.mean()), samples=label.size)


def positive_samples(trace: Trace) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return two masks ``(n,)``: the samples that an accepted shot follows 100 to 300 ms later, and those that count.

    Only samples that count are used for the average precision.
    """
    shots = trace.session.shots
    positive = followed_within(trace.time_ms, shots.time_ms[shots.accepted], SOONEST_MS, LATEST_MS)
    any_shot = followed_within(trace.time_ms, shots.time_ms, SOONEST_MS, LATEST_MS)
    return positive, ~np.isnan(trace.probability) & (positive | ~any_shot)


def _part(followed: FollowedTrace, parameters: DecisionParameters, min_lead_ms: float) -> _Part:
    trace = followed.trace
    spin_ups = followed.levels.spin_ups(parameters.on, parameters.off)
    on_ms, off_ms = spin_ups.times_ms.T
    everything = trace.session.shots
    shots = everything.without_dismissed()
    events = match_events(
        spin_ups.times_ms, shots.time_ms, min_lead_ms=min_lead_ms, dismissed_ms=everything.dismissed_ms
    )
    at = np.searchsorted(trace.time_ms, shots.time_ms - min_lead_ms, side="right") - 1
    ready = np.searchsorted(trace.time_ms, on_ms + min_lead_ms, side="left")
    off_index = np.searchsorted(trace.time_ms, off_ms, side="left")
    return _Part(
        events=events,
        accepted=shots.accepted,
        has_output=(at >= 0) & ~np.isnan(trace.probability[at]),
        false_quiet=_count(~near_a_shot(on_ms[events.false], everything.time_ms)),
        samples_on=int(np.diff(spin_ups.samples).sum()),
        samples_ready=int(np.maximum(off_index - ready, 0).sum()),
        minutes=trace.session.recording.recorded_ms / 60_000,
        quiet_minutes=followed.quiet_minutes,
    )


def _quiet_minutes(trace: Trace) -> float:
    quiet = ~near_a_shot(trace.time_ms, trace.session.shots.time_ms)
    return _count(quiet) * trace.step_ms / 60_000


def _lead(parts: Sequence[_Part]) -> Lead | None:
    leads = []
    for part in parts:
        with_shot = part.events.shot[part.events.kind == SpinUpKind.WITH_SHOT]
        leads.append(part.events.on_for_ms[with_shot[part.accepted[with_shot]]])
    lead_ms = np.concatenate(leads) if leads else np.empty(0)
    if not lead_ms.size:
        return None
    p5, p50, p95 = np.percentile(lead_ms, (5, 50, 95)).tolist()
    low, high = median_interval(lead_ms)
    return Lead(shots=lead_ms.size, p5_ms=p5, p50_ms=p50, p95_ms=p95, p50_low_ms=low, p50_high_ms=high)


def _joined(parts: Sequence[npt.NDArray[np.bool_]]) -> npt.NDArray[np.bool_]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.bool_)


def _count(flags: npt.NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(flags))

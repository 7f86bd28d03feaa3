"""What a model loses if the blaster is held in another way.

It is measured on the same recordings, turned by an angle about random axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.decision_parameters import DecisionParameters
from models.sessions import Session
from models.turning import random_axes, turn_session
from replay.evaluation.evaluate import average_precision, evaluate
from replay.evaluation.wording import number_text, percent_text
from replay.trace import Trace
from stinger.errors import InputError

DRAWS: Final = 3
_HEADER: Final = ("turned by", "average precision", "lowest", "in time", "false/min", "duty")


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """The ``angles`` in degrees to turn recordings by, each about ``draws`` random axes that follow from ``seed``."""

    angles: tuple[float, ...]
    draws: int = DRAWS
    seed: int = 1

    def turned(self, sessions: Sequence[Session]) -> tuple[Session, ...]:
        """Return a turned copy of each of ``sessions`` for every angle and axis: by angle, then axis, then session.

        The axes are the same for each angle.
        """
        axes = random_axes(np.random.default_rng(self.seed), self.draws)
        return tuple(
            turn_session(session, angle, axis) for angle in self.angles for axis in axes for session in sessions
        )


@dataclass(frozen=True, slots=True)
class TurnedResult:
    """The results for recordings turned by ``degrees``: means over ``draws`` axes.

    ``lowest_precision`` is that of the worst.

    ``average_precision`` is ``None`` without a shot to predict.
    """

    degrees: float
    draws: int
    average_precision: float | None
    lowest_precision: float | None
    in_time: float
    false_per_minute: float
    duty: float


def turned_results(
    plan: TurnPlan,
    straight: Sequence[Trace],
    turned: Sequence[Trace],
    parameters: DecisionParameters,
    *,
    min_lead_ms: float,
) -> tuple[TurnedResult, ...]:
    """Return the results of ``straight``, as 0 degrees, and for each angle of ``plan`` those of ``turned``.

    ``turned`` are traces of the sessions of :meth:`TurnPlan.turned`, in the same order.
    """
    results = [_result(0.0, [straight], parameters, min_lead_ms)]
    count = len(straight)
    draws = [turned[start : start + count] for start in range(0, len(turned), count)]
    for position, angle in enumerate(plan.angles):
        of_angle = draws[position * plan.draws : (position + 1) * plan.draws]
        results.append(_result(angle, of_angle, parameters, min_lead_ms))
    return tuple(results)


def turned_table(results: Sequence[TurnedResult]) -> list[str]:
    """Return ``results`` as aligned lines below a header."""
    rows = [_HEADER, *(_cells(result) for result in results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def turned_markdown(results: Sequence[TurnedResult]) -> list[str]:
    """Return the lines of a Markdown table of ``results``."""
    header, *rows = (_HEADER, *(_cells(result) for result in results))
    return [f"| {' | '.join(header)} |", f"|{' ---: |' * len(header)}", *(f"| {' | '.join(row)} |" for row in rows)]


def parse_angles(text: str) -> tuple[float, ...]:
    """Parse angles in degrees, such as ``10,30,90``. Raises :class:`InputError`."""
    try:
        angles = tuple(float(part) for part in text.split(","))
    except ValueError:
        angles = ()
    if not angles or not all(0 < angle <= 180 for angle in angles):  # noqa: PLR2004
        raise InputError(f"'{text}': expected angles above 0 and up to 180 degrees, such as 10,30,90")
    return tuple(dict.fromkeys(angles))


def _result(
    degrees: float, draws: Sequence[Sequence[Trace]], parameters: DecisionParameters, min_lead_ms: float
) -> TurnedResult:
    precisions = [one.value for traces in draws if (one := average_precision(traces)) is not None]
    figures = []
    for traces in draws:
        result = evaluate(traces, parameters, min_lead_ms=min_lead_ms)
        figures.append((result.accepted.value, result.false.value, result.duty))
    in_time, false, duty = np.mean(figures, axis=0).tolist()
    return TurnedResult(
        degrees=degrees,
        draws=len(draws),
        average_precision=float(np.mean(precisions)) if precisions else None,
        lowest_precision=min(precisions, default=None),
        in_time=in_time,
        false_per_minute=false,
        duty=duty,
    )


def _cells(result: TurnedResult) -> tuple[str, ...]:
    return (
        f"{result.degrees:g} degrees" if result.degrees else "not turned",
        _precision_text(result.average_precision),
        _precision_text(result.lowest_precision),
        percent_text(result.in_time),
        number_text(result.false_per_minute),
        percent_text(result.duty),
    )


def _precision_text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"

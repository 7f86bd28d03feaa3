"""How long to record before personalising.

Models trained on logs of different lengths are tested on another session of the user. For each of eight synthetic
users, models are trained on a log and tested on 14 minutes with another seed. Prints medians. Run: python -m
benchmarks.log_length
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.decision_parameters import DecisionParameters
from models.scorer import score_recording
from models.sessions import Session
from models.stream_rows import StreamOptions
from models.synthetic import synthesise
from models.task_runner import TaskRunner
from replay.evaluation.data import EvaluationData, evaluation_data
from replay.evaluation.evaluate import evaluate
from replay.trace import Trace
from service.round_trip.personalising import SPECS, fit_on_all
from stinger.logs import parse_log
from stinger.logs.writing import encode_bin

USERS = range(1, 9)
MINUTES = (1, 2, 4, 8, 14)
TESTED_MINUTES = 14


def log_of(minutes: float, seed: int, user: int) -> EvaluationData:
    data = encode_bin(synthesise(minutes=minutes, seed=seed, first_user=user))
    return evaluation_data([parse_log(data, f"{seed}.bin")], warn=print)


def measure(data: EvaluationData, tested: Sequence[Session]) -> list[tuple[float, float, float]]:
    """Return for each kind of model: recall, recall by chance, false spin-ups per minute."""
    figures = []
    for spec in SPECS:
        model, _ = fit_on_all(data, spec, StreamOptions(), TaskRunner())
        traces = [Trace(session, score_recording(model, session.recording)) for session in tested]
        result = evaluate(traces, DecisionParameters())
        figures.append((result.accepted.value, result.by_chance, result.false.value))
    return figures


def main() -> None:
    for minutes in MINUTES:
        logs = [log_of(minutes, 100 + user, user) for user in USERS]
        tested = [log_of(TESTED_MINUTES, 900 + user, user).sessions for user in USERS]
        shots = np.median([log.files[0].accepted_shots for log in logs])
        medians = np.median([measure(log, sessions) for log, sessions in zip(logs, tested, strict=True)], axis=0)
        results = "; ".join(
            f"{spec}: {100 * recall:.0f} % in time, {100 * chance:.0f} % by chance, {false:.1f} false a minute"
            for spec, (recall, chance, false) in zip(SPECS, medians.tolist(), strict=True)
        )
        print(f"{minutes} minutes, {shots:.0f} shots: {results}", flush=True)


if __name__ == "__main__":
    main()

"""What ``personalise`` reaches on three synthetic users.

Trained on one session of 14 minutes, tested on another of 14. The threshold is the one that it prints for the blaster's
menu, and the model is the one for the blaster's slot MLP. Beside false spin-ups are the aims of the tested session that
end without a shot: until the decision, they look like those with one. Run: python -m benchmarks.personalise_users [FIRST_USER]
"""

from __future__ import annotations

import sys

import numpy as np

from models.model_file import open_model
from models.scorer import score_recording
from models.spec import parse_spec
from models.synthetic import synthesise
from models.synthetic.session import play_round, play_sensor
from models.synthetic.users import draw_user
from models.task_runner import TaskRunner
from models.workers import Workers
from replay.evaluation.data import EvaluationData, evaluation_data
from replay.evaluation.evaluate import average_precision, evaluate
from replay.trace import Trace
from service.round_trip.personalising import SPECS, choose_test_folds, personalise
from stinger.logs import parse_log
from stinger.logs.writing import encode_bin
from stinger.sample import SAMPLE_RATE_HZ

MINUTES = 14
SPEC = parse_spec("mlp:rich")


def session_of(user: int, seed: int) -> EvaluationData:
    data = encode_bin(synthesise(minutes=MINUTES, seed=seed, first_user=user))
    return evaluation_data([parse_log(data, f"user{user}-{seed}.bin")], warn=print)


def aims_without_shot(user: int, seed: int) -> int:
    """Return how many aims end without a shot in the session of ``user`` with this ``seed``."""
    sensor, person = play_sensor(seed, 0), draw_user(user)
    count, start_s, number = 0, 0.0, 0
    while start_s < 60 * MINUTES:
        played = play_round(seed, 0, number, person, sensor)
        count += sum(start_s + time_s < 60 * MINUTES for time_s in played.script.feints)
        start_s += played.lies.size / SAMPLE_RATE_HZ
        number += 1
    return count


def main() -> None:
    first = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    print("| user | set to | in time | false a minute | aims without a shot a minute | wheels on | average precision |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    totals = np.zeros(6)
    for user in range(first, first + 3):
        data, tested = session_of(user, 100 + user), session_of(user, 900 + user)
        by, folds = choose_test_folds(data)
        (model,) = personalise(data, by, folds, specs={SPEC: SPECS[SPEC]}, runner=TaskRunner(Workers(jobs=1)))
        scorer = open_model(model.onnx)
        traces = [Trace(session, score_recording(scorer, session.recording)) for session in tested.sessions]
        result, precision = evaluate(traces, model.report.operating.parameters), average_precision(traces)
        aims = aims_without_shot(user, 900 + user)
        totals += [
            result.accepted.count,
            result.accepted.total,
            result.false.count,
            result.minutes,
            result.duty * result.minutes,
            aims,
        ]
        print(
            f"| {user} | {model.threshold_percent} % | {100 * result.accepted.value:.0f} % | {result.false.value:.1f} "
            f"| {aims / result.minutes:.1f} | {100 * result.duty:.0f} % | {0 if precision is None else precision.value:.3f} |",
            flush=True,
        )
    in_time, shots, false, minutes, on, all_aims = totals
    print(
        f"| all | | {100 * in_time / shots:.1f} % | {false / minutes:.2f} | {all_aims / minutes:.2f} "
        f"| {100 * on / minutes:.1f} % | |"
    )


if __name__ == "__main__":
    main()

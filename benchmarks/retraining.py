"""The computing time of a contest of retraining, and the extra time of a Dask cluster, by the amount of recordings.

Run: python -m benchmarks.retraining [SESSIONS ...]. Each session has eight minutes, each of a different user.

The computing time is the processor time of the configuration's candidates on one core. The cluster, two processes on
this machine, runs before the clock starts. Its extra time is measured with a contest of logreg alone, whose time is
nearly all scheduling and moving recordings, training sets and outputs, next to the same contest with two local
processes. All must give the same result. So no figure depends on how many cores are free on this machine: the
documentation calculates with both.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

from distributed import LocalCluster

from models.factory import factory_model
from models.folds import HeldOut, folds_holding_out
from models.sessions import Session
from models.spec import ModelSpec, parse_spec
from models.synthetic import synthesise
from models.task_runner import TaskRunner
from models.workers import Workers
from replay.evaluation.contest import Contest, run_contest
from replay.evaluation.verdict import judge
from service.config.retraining import RetrainConfig
from service.retraining.rules import rules_of
from stinger.recording import split_recordings
from stinger.shots import find_shots

MINUTES = 8
ROUNDS = 5
QUICK = (parse_spec("logreg:summary"),)


def main() -> None:
    counts = [int(text) for text in sys.argv[1:]] or [2, 6, 20]
    make_cluster: Any = LocalCluster  # untyped
    with make_cluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        ways = {
            "two local processes": Workers(jobs=2),
            "Dask, two processes": Workers(backend="dask", scheduler=cluster.scheduler_address),
        }
        _contest(_sessions(2), QUICK, ways["Dask, two processes"])  # the workers import scikit-learn only once
        for count in counts:
            sessions = _sessions(count)
            shots = sum(session.accepted_shots for session in sessions)
            sent = sum(session.recording.samples.nbytes for session in sessions) / 1e6
            print(f"{count} sessions of {MINUTES} min, {shots:,} shots, {sent:.1f} MB", flush=True)
            results = []
            seconds: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(ROUNDS):
                for name, workers in ways.items():
                    started = time.perf_counter()
                    results.append(_contest(sessions, QUICK, workers))
                    seconds[name].append(time.perf_counter() - started)
            assert all(result == results[0] for result in results)
            for name, laps in seconds.items():
                spread = f"({min(laps):.2f} to {max(laps):.2f}; median of {ROUNDS})"
                print(f"  logreg, {name:<22}{statistics.median(laps):8.2f} s   {spread}", flush=True)
            started = time.process_time()
            _contest(sessions, RetrainConfig().specs(), Workers(jobs=1))
            computing = time.process_time() - started
            print(f"  all candidates, processor time  {computing:8.2f} s", flush=True)


def _contest(sessions: tuple[Session, ...], specs: Sequence[ModelSpec], workers: Workers) -> Contest:
    settings = RetrainConfig()
    rules = rules_of(settings)
    held_out = tuple(range(len(sessions)))
    contest = run_contest(
        ("factory", factory_model()),
        specs,
        HeldOut(sessions, held_out, folds_holding_out(sessions, held_out, settings.folds)),
        settings.row_options(),
        rules.budget,
        weights=rules.weights,
        runner=TaskRunner(workers),
    )
    judge(contest, rules)
    return contest


def _sessions(count: int) -> tuple[Session, ...]:
    made = []
    for seed in range(count):
        (recording,) = split_recordings(synthesise(minutes=MINUTES, seed=500 + seed))
        made.append(Session(f"s{seed}", recording, find_shots(recording), 0))
    return tuple(made)


if __name__ == "__main__":
    main()

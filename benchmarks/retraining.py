"""A contest of retraining on one core, on two, and on a Dask cluster of two processes of this machine, by how much was recorded.

Run: python -m benchmarks.retraining [SESSIONS ...]. Each session has eight minutes, of a user of its own; candidates are
those of the configuration. All three must come to the same result. The cluster is up before the clock starts; connecting to
it and sending it the recordings counts. Two cores are all that the figures in the docs were taken on, so the cluster can
be no faster than the two local processes: what it costs more is what it costs wherever its workers are.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

from distributed import LocalCluster

from models.crew import Crew
from models.factory import factory_model
from models.folds import HeldOut, folds_holding_out
from models.sessions import Session
from models.spread import Workers
from models.synthetic import synthesise
from replay.contest import Budget, Contest, hold_contest
from service.retraining.settings import RetrainConfig
from stinger.recording import split_recordings
from stinger.shots import find_shots

MINUTES = 8
ROUNDS = 3


def main() -> None:
    counts = [int(text) for text in sys.argv[1:]] or [2, 6, 20]
    make_cluster: Any = LocalCluster  # untyped
    with make_cluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        ways = {
            "one core": Workers(jobs=1),
            "two local processes": Workers(jobs=2),
            "Dask, two processes": Workers(backend="dask", scheduler=cluster.scheduler_address),
        }
        _contest(_sessions(2), ways["Dask, two processes"])  # the workers import scikit-learn only once
        for count in counts:
            sessions = _sessions(count)
            seconds: dict[str, list[float]] = {name: [] for name in ways}
            results = []
            for _ in range(ROUNDS):
                for name, workers in ways.items():
                    started = time.perf_counter()
                    results.append(_contest(sessions, workers))
                    seconds[name].append(time.perf_counter() - started)
            assert all(result == results[0] for result in results)
            shots = sum(session.accepted_shots for session in sessions)
            sent = sum(session.recording.samples.nbytes for session in sessions) / 1e6
            print(f"{count} sessions of {MINUTES} min, {shots:,} shots, {sent:.1f} MB; median of {ROUNDS}", flush=True)
            for name, laps in seconds.items():
                print(
                    f"  {name:<22}{statistics.median(laps):8.2f} s   ({min(laps):.2f} to {max(laps):.2f})", flush=True
                )


def _contest(sessions: tuple[Session, ...], workers: Workers) -> Contest:
    settings = RetrainConfig()
    held_out = tuple(range(len(sessions)))
    return hold_contest(
        ("factory", factory_model()),
        settings.specs(),
        HeldOut(sessions, held_out, folds_holding_out(sessions, held_out, settings.folds)),
        settings.export_options(),
        Budget(settings.max_false_per_minute, settings.max_duty),
        crew=Crew(workers),
    )


def _sessions(count: int) -> tuple[Session, ...]:
    made = []
    for seed in range(count):
        (recording,) = split_recordings(synthesise(minutes=MINUTES, seed=500 + seed))
        made.append(Session(f"s{seed}", recording, find_shots(recording), 0))
    return tuple(made)


if __name__ == "__main__":
    main()

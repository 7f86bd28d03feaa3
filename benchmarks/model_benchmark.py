"""The benchmark of eight models, compared with its 72 fits one after another, each on all cores (``n_jobs=-1``).

Run: python -m benchmarks.model_benchmark [SEEDS]. Both do the same fits on the same synthetic 1,086 windows and must
agree on every metric to three decimals where the model does not depend on the seed; here they agree on all of them. The
cost of features that a script computes for every fit, row by row in lists, is measured once for each set and
multiplied.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from benchmarks.features import list_features
from benchmarks.synthetic import training_set
from models.benchmark import CONFIGURATIONS, Fit, plan_benchmark, run_benchmark
from models.dataset import Dataset
from models.estimators import fit_estimator, make_estimator, predict_probability
from models.features import compute_features
from models.metrics import Metrics, compute_metrics
from models.splits import make_split
from models.workers import Workers

SPLITS = ("random", "group", "time")


def main() -> None:
    seeds = range(1, int(sys.argv[1]) + 1 if len(sys.argv) > 1 else 4)
    dataset = training_set(shots=181, negatives_a_shot=5, seed=1)
    # Ours first, in forked processes, before OpenMP has threads in this one.
    plan = plan_benchmark(dataset, seeds=seeds)
    outcome = run_benchmark(dataset, plan, Workers())
    one_by_one, expected = _one_by_one(dataset, seeds)
    # Once more afterwards: a machine that others use too is rarely the same for a minute.
    again = run_benchmark(dataset, plan, Workers())
    ours = (outcome.seconds + again.seconds) / 2
    lists = _list_features_seconds(dataset, fits=len(SPLITS) * len(seeds))

    def expected_of(fit: Fit, seed: int) -> Metrics:
        return expected[fit.configuration.name, fit.configuration.member.features, fit.split_name, seed]

    worst = max(
        abs(getattr(fit.metrics, name) - getattr(expected_of(fit, seed), name))
        for fit in outcome.fits
        if not fit.shuffled
        for seed in fit.seeds
        for name in ("roc_auc", "pr_auc", "best_f1")
    )
    print(f"{len(dataset):,} windows, {len(seeds)} seeds, {len(expected)} fits, {os.cpu_count()} cores")
    _print("stinger benchmark, before the others", outcome.seconds, ours)
    _print("stinger benchmark, after the others", again.seconds, ours)
    _print("one after another, n_jobs=-1, fits alone", one_by_one, ours)
    _print("the same, features by row in lists every fit", one_by_one + lists, ours)
    print(f"largest difference of a metric: {worst:.1e}")


def _print(name: str, seconds: float, ours: float) -> None:
    print(f"  {name:<46}{seconds:8.2f} s   mean of ours / this {ours / seconds:5.2f}")


def _one_by_one(dataset: Dataset, seeds: range) -> tuple[float, dict[tuple[str, str, str, int], Metrics]]:
    """Return the seconds of fitting, predicting and measuring, without features and splits, and the metrics."""
    features = {name: compute_features(dataset.windows, name) for name in ("summary", "rich", "flatten")}
    results = {}
    seconds = 0.0
    for configuration in CONFIGURATIONS:
        for name in SPLITS:
            for seed in seeds:
                split = make_split(name, dataset.labels, dataset.rows, test_size=0.25, seed=seed)
                rows, labels = features[configuration.member.features], dataset.labels
                started = time.perf_counter()
                estimator = make_estimator(
                    configuration.member.model,
                    configuration.member.features,
                    seed=seed,
                    labels=labels[split.train],
                    options=configuration.options(n_jobs=-1),
                )
                fit_estimator(estimator, rows[split.train], labels[split.train])
                metrics = compute_metrics(labels[split.test], predict_probability(estimator, rows[split.test]))
                seconds += time.perf_counter() - started
                results[configuration.name, configuration.member.features, name, seed] = metrics
    return seconds, results


def _list_features_seconds(dataset: Dataset, *, fits: int) -> float:
    """Return the seconds for computing features from lists in each of ``fits`` fits of each configuration."""
    windows = dataset.windows.tolist()
    seconds = {"flatten": 0.0}
    for name in ("summary", "rich"):
        started = time.perf_counter()
        np.array([list_features(window, rich=name == "rich") for window in windows], dtype=np.float32)
        seconds[name] = time.perf_counter() - started
    started = time.perf_counter()
    np.array([[value for sample in window for value in sample] for window in windows], dtype=np.float32)
    seconds["flatten"] = time.perf_counter() - started
    return fits * sum(seconds[configuration.member.features] for configuration in CONFIGURATIONS)


if __name__ == "__main__":
    main()

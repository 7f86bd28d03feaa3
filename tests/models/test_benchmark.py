from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.benchmark import CONFIGURATIONS, SHUFFLED, plan_benchmark, run_benchmark
from models.benchmark_report import make_report, report_markdown
from models.estimators import EARLY_STOPPING_ROWS
from models.features import compute_features
from models.metrics import Metrics, compute_metrics
from models.workers import Workers
from stinger.errors import InputError
from tests.helpers.patience import PATIENCE_S
from tests.models.datasets import make_dataset, write_train_dir

QUICK = CONFIGURATIONS[:3]


def test_models_that_ignore_the_seed_are_fitted_once_on_a_split_that_does_too() -> None:
    plan = plan_benchmark(make_dataset(), seeds=range(1, 4))
    for job in plan.jobs:
        alone = job.configuration.member.model in {"mlp", "rf", "et"}
        if job.split_name == "time":
            assert job.seeds == ((job.seeds[0],) if alone else (1, 2, 3))
    runs = sum(len(job.seeds) for job in plan.jobs if not job.shuffled)
    assert runs == len(CONFIGURATIONS) * 3 * 3
    assert sum(job.shuffled for job in plan.jobs) == 3


def test_seeds_that_hold_out_the_same_session_share_a_fit() -> None:
    plan = plan_benchmark(make_dataset(sessions=2), seeds=range(1, 11), configurations=QUICK)
    assert plan.splits == ("random", "group", "time", "session")
    assert len([job for job in plan.jobs if job.split_name == "session"]) <= 2 * len(QUICK)


def test_the_eight_models_are_those_that_are_documented() -> None:
    assert [
        (c.name, str(c.member), c.mlp_hidden, c.mlp_max_iter) if c.member.model == "mlp" else (c.name, str(c.member))
        for c in CONFIGURATIONS
    ] == [
        ("logreg", "logreg:summary"),
        ("logreg", "logreg:rich"),
        ("ridge", "ridge:summary"),
        ("mlp_flat", "mlp:flatten", (32,), 600),
        ("mlp_rich", "mlp:rich", (64, 32), 800),
        ("rf", "rf:rich"),
        ("et", "et:rich"),
        ("hgb", "hgb:rich"),
    ]
    assert {c.name: c.trees for c in CONFIGURATIONS if c.member.model in {"rf", "et"}} == {"rf": 400, "et": 600}


def test_an_mlp_is_fitted_on_all_training_rows_without_early_stopping() -> None:
    dataset = make_dataset(shots=40)
    (mlp,) = [c for c in CONFIGURATIONS if str(c.member) == "mlp:rich"]
    plan = plan_benchmark(dataset, seeds=[1], configurations=[mlp])
    fits = run_benchmark(dataset, plan, Workers(jobs=1)).fits
    (split,) = [job.split for job in plan.jobs if job.split_name == "time"]
    rows = compute_features(dataset.windows, "rich")
    expected = make_pipeline(StandardScaler(), MLPClassifier((64, 32), max_iter=800, random_state=1))
    expected.fit(rows[split.train], dataset.labels[split.train])
    metrics = compute_metrics(dataset.labels[split.test], expected.predict_proba(rows[split.test])[:, 1])
    assert split.train.size >= EARLY_STOPPING_ROWS
    assert [fit.metrics for fit in fits if fit.split_name == "time"] == [metrics]


def test_expensive_fits_come_first() -> None:
    costs = [job.configuration.cost for job in plan_benchmark(make_dataset(), seeds=[1]).jobs]
    assert costs == sorted(costs, reverse=True)


def test_workers_and_one_process_measure_the_same() -> None:
    dataset = make_dataset()
    plan = plan_benchmark(dataset, seeds=[1, 2], configurations=QUICK)

    def metrics(workers: Workers) -> list[Metrics]:
        return [fit.metrics for fit in run_benchmark(dataset, plan, workers).fits]

    assert metrics(Workers(jobs=2)) == metrics(Workers(jobs=1))


def test_the_standard_deviation_is_that_of_the_population() -> None:
    dataset = make_dataset(shots=20)
    plan = plan_benchmark(dataset, seeds=range(1, 5), configurations=QUICK)
    outcome = run_benchmark(dataset, plan, Workers(jobs=1))
    report = make_report("somewhere", dataset, plan, outcome, seeds=range(1, 5), test_size=0.25)
    row = report.rows[0]
    values = [
        fit.metrics.best_f1
        for fit in outcome.fits
        if fit.configuration == row.configuration and fit.split_name == row.split and not fit.shuffled
    ]
    assert row.runs == len(values) == 4
    assert row.best_f1.std == pytest.approx(np.std(values))
    assert row.best_f1.mean == pytest.approx(np.mean(values))


def test_shuffled_labels_are_as_hard_to_predict_as_chance() -> None:
    dataset = make_dataset(shots=60)
    plan = plan_benchmark(dataset, seeds=range(1, 4), configurations=QUICK)
    outcome = run_benchmark(dataset, plan, Workers(jobs=1))
    report = make_report("somewhere", dataset, plan, outcome, seeds=range(1, 4), test_size=0.25)
    assert report.shuffled_near_chance
    assert "near chance, as it must be" in report_markdown(report)


@pytest.mark.parametrize("shots", [8, 60])
def test_labels_that_can_be_predicted_are_not_near_chance(shots: int) -> None:
    dataset = make_dataset(shots=shots)
    plan = plan_benchmark(dataset, seeds=range(1, 11), configurations=QUICK)
    outcome = run_benchmark(dataset, plan, Workers(jobs=1))
    # What the check would see if the labels stayed with their rows.
    outcome.fits = [
        replace(fit, shuffled=True)
        for fit in outcome.fits
        if fit.configuration == SHUFFLED and fit.split_name == "random" and not fit.shuffled
    ]
    report = make_report("somewhere", dataset, plan, outcome, seeds=range(1, 11), test_size=0.25)
    assert report.shuffled_near_chance is False
    assert "NOT near chance" in report_markdown(report)


def test_too_few_rows_to_tell_from_chance_are_called_that() -> None:
    dataset = make_dataset(shots=4)
    plan = plan_benchmark(dataset, seeds=[1], configurations=QUICK)
    report = make_report(
        "somewhere", dataset, plan, run_benchmark(dataset, plan, Workers(jobs=1)), seeds=[1], test_size=0.25
    )
    assert report.shuffled_near_chance is None
    assert "inconclusive: with so few rows" in report_markdown(report)


def test_a_training_set_that_cannot_be_split_is_refused() -> None:
    with pytest.raises(InputError, match="no split is possible"):
        plan_benchmark(make_dataset(shots=1), seeds=[1])


DASK_SCRIPT = """
import subprocess, sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None,
                      host="tcp://127.0.0.1") as cluster:
        command = [sys.executable, "-m", "stinger", "benchmark", "--train-dir", sys.argv[1], "--seeds", "1",
                   "--out", sys.argv[2], "--backend", "dask", "--scheduler", cluster.scheduler_address]
        sys.exit(subprocess.run(command, timeout=300).returncode)
"""


@pytest.mark.slow
def test_a_dask_cluster_gives_the_metrics_of_this_machine(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    dataset = make_dataset()
    folder = write_train_dir(tmp_path / "train", dataset)
    script, report = tmp_path / "cluster.py", tmp_path / "report.md"
    script.write_text(DASK_SCRIPT)
    # The cluster lives in a process of its own, so that nothing of it outlives this test.
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(report)],
        timeout=3 * PATIENCE_S,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    plan = plan_benchmark(dataset, seeds=[1])
    here = make_report(str(folder), dataset, plan, run_benchmark(dataset, plan, Workers()), seeds=[1], test_size=0.25)
    table = [line for line in report_markdown(here).splitlines() if line.startswith("| ")]
    assert [line for line in report.read_text().splitlines() if line.startswith("| ")] == table

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import models.workers
from models.benchmark import CONFIGURATIONS, Configuration, plan_benchmark
from models.workers import Workers
from stinger.errors import FileError
from tests.helpers.cli import invoke_line
from tests.models.datasets import make_dataset, write_train_dir


@pytest.fixture(autouse=True)
def in_a_folder_with_a_training_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_train_dir(tmp_path / "ml_out" / "train", make_dataset())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def only_linear_models(monkeypatch: pytest.MonkeyPatch) -> None:
    plan_with(monkeypatch, CONFIGURATIONS[:3])


@pytest.fixture
def small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    plan_with(monkeypatch, [replace(configuration, trees=10) for configuration in CONFIGURATIONS])


def plan_with(monkeypatch: pytest.MonkeyPatch, configurations: Sequence[Configuration]) -> None:
    planner = partial(plan_benchmark, configurations=configurations)
    monkeypatch.setattr("models.benchmark.plan_benchmark", planner)


@pytest.mark.usefixtures("small_forests")
@pytest.mark.parametrize("seeds", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_the_line_of_the_old_script_writes_its_report(tmp_path: Path, seeds: int) -> None:
    result = invoke_line(f"benchmark --train-dir ml_out/train --seeds {seeds} --out ml_training/report.md")
    assert result.exit_code == 0, result.output
    report = (tmp_path / "ml_training" / "report.md").read_text()
    assert "| model | features | split | runs | roc_auc | pr_auc | best_f1 |" in report
    rows = [line for line in report.splitlines() if f" | {seeds} | " in line]
    assert len(rows) == 8 * 3
    assert rows[0].startswith(f"| logreg | summary | random | {seeds} | ")
    assert "## Sanity check (shuffled labels)" in report
    assert "- time: logreg/summary, logreg/rich, ridge/summary, hgb/rich fitted once" in report


@pytest.mark.usefixtures("only_linear_models")
def test_without_options_the_usual_training_set_is_used_with_ten_seeds() -> None:
    values = json.loads(invoke_line("benchmark --json").stdout)
    assert values["seeds"] == list(range(1, 11))


@pytest.mark.usefixtures("only_linear_models")
def test_json_holds_the_table(tmp_path: Path) -> None:
    result = invoke_line("benchmark --train-dir ml_out/train --seeds 2 --json")
    values = json.loads(result.stdout)
    assert [row["split"] for row in values["results"]] == ["random", "group", "time"] * 3
    assert values["fits_done"] == values["fits_planned"]
    report = (tmp_path / "report.md").read_text()
    for row in values["results"]:
        assert f"{row['roc_auc']['mean']:.3f}±{row['roc_auc']['std']:.3f}" in report


@pytest.mark.usefixtures("only_linear_models")
def test_figures_of_a_single_run_have_no_spread(tmp_path: Path) -> None:
    assert invoke_line("benchmark --train-dir ml_out/train --seeds 1").exit_code == 0
    results = (tmp_path / "report.md").read_text().partition("## Results")[2].partition("## Sanity")[0]
    assert "| logreg | summary | random | 1 | " in results
    assert "±" not in results


@pytest.mark.usefixtures("only_linear_models")
def test_several_sessions_are_held_out_too(tmp_path: Path) -> None:
    folder = write_train_dir(tmp_path / "three", make_dataset(sessions=3))
    values = json.loads(invoke_line(f"benchmark --train-dir {folder} --seeds 2 --json").stdout)
    assert {row["split"] for row in values["results"]} == {"random", "group", "time", "session"}


@pytest.mark.usefixtures("only_linear_models")
def test_an_interrupt_leaves_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parallel = models.workers.run_parallel

    def interrupted_after_two(function: Any, tasks: Any, workers: Workers) -> Iterator[Any]:
        yield from islice(parallel(function, tasks, workers), 2)
        raise KeyboardInterrupt

    monkeypatch.setattr("models.benchmark.run_parallel", interrupted_after_two)
    result = invoke_line("benchmark --train-dir ml_out/train --seeds 2 --jobs 1")
    assert result.exit_code == 130
    assert "Interrupted: report.md contains the 2 of 17 fits that were finished." in result.stderr
    assert "**Interrupted**: 2 of 17 fits were finished." in (tmp_path / "report.md").read_text()


@pytest.mark.usefixtures("only_linear_models")
def test_a_report_that_cannot_be_written_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(path: str, data: bytes) -> None:
        del data
        raise FileError(path, "No space left on device")

    monkeypatch.setattr("models.cli.benchmark.write_bytes", full_disk)
    result = invoke_line("benchmark --train-dir ml_out/train --seeds 1")
    assert result.exit_code == 2
    assert result.stderr == "Error: report.md: No space left on device\n"
    assert "| logreg | summary | random | 1 | " in result.stdout


@pytest.mark.usefixtures("only_linear_models")
def test_a_split_that_is_impossible_is_left_out_and_reported(tmp_path: Path) -> None:
    dataset = make_dataset()
    dataset.labels[:] = dataset.rows.event_timestamp_ms < 10_000
    result = invoke_line(f"benchmark --train-dir {write_train_dir(tmp_path / 'late', dataset)} --seeds 1")
    assert result.exit_code == 0, result.output
    assert "Warning: time is left out: the test side of the time split has no positives" in result.stderr
    assert "- time: left out, as the test side" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "benchmark --train-dir ml_out/train --out ml_out/train/meta.json/x.md",
            "meta.json: exists and is not a folder",
        ),
        ("benchmark --train-dir nowhere", "nowhere/meta.json: No such file or directory"),
        ("benchmark --train-dir ml_out/train --out ml_out", "ml_out: exists and is not a regular file"),
        ("benchmark --train-dir ml_out/train --seeds 0", "0 is not in the range"),
        ("benchmark --train-dir ml_out/train --backend junk", "there is no joblib backend 'junk'"),
        ("benchmark --train-dir ml_out/train --backend dask", "needs the address of its scheduler"),
        ("benchmark --train-dir ml_out/train --scheduler tcp://x:1", "a scheduler belongs to the backend dask"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(line: str, complaint: str, tmp_path: Path) -> None:
    result = invoke_line(line)
    assert result.exit_code == 2
    assert complaint in result.stderr.splitlines()[-1]
    assert not (tmp_path / "report.md").exists()

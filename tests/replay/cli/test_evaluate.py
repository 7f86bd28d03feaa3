from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from models.decision import Decision
from models.decision_parameters import DecisionParameters
from models.model_file import load_model
from models.scorer import score_recording
from models.sessions import open_sessions
from models.task_runner import TaskRunner
from models.workers import Workers
from replay.trace import score_sessions, score_sessions_on
from stinger.logs import read_log, write_log
from tests.helpers.cli import invoke, run_program
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT
from tests.helpers.samples import samples_at


def test_model_file_is_evaluated_as_the_stream_that_it_scores(folder: Path) -> None:
    result = invoke("evaluate", "--model-file", folder / "model.onnx", folder / "other.bin", "--json")
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    model = load_model(folder / "model.onnx")
    (recording,) = read_log(folder / "other.bin").recordings
    wheels = Decision().push(recording.time_ms, score_recording(model, recording)).wheels
    assert values["operating"]["duty"] == pytest.approx(wheels.mean())
    assert values["operating"]["parameters"] == DecisionParameters().to_json()
    assert len(values["rows"]) == 91
    assert values["data"][0]["sha256"] == read_log(folder / "other.bin").sha256


def test_log_that_the_model_was_trained_on_is_warned_about(folder: Path) -> None:
    model = ("evaluate", "--model-file", folder / "model.onnx")
    assert "so its results on this log are better" in invoke(*model, folder / "log.bin").output
    assert "so its results on this log are better" not in invoke(*model, folder / "other.bin").output


def test_training_on_one_log_tests_stretches_of_time_and_on_two_whole_sessions(folder: Path) -> None:
    one = invoke("evaluate", "--train", "logreg:summary", folder / "log.bin", "--folds", 3)
    assert "3 folds by time with a guard of 1 s" in one.output
    assert "Note: The threshold of 0.5 is the blaster's default, not chosen for this model" in one.output
    both = invoke("evaluate", "--train", "logreg:summary", folder / "log.bin", folder / "other.bin", "--sweep")
    assert "2 folds by session" in both.output
    assert "is the blaster's default" not in both.output
    assert "threshold" in both.output
    by_time = ("--folds-by", "time", "--folds", 2)
    assert "2 folds by time" in invoke("evaluate", "--train", "ridge:rich", folder / "log.bin", *by_time).output


def test_recordings_of_others_are_trained_on_but_not_tested_on(folder: Path) -> None:
    alone = ("evaluate", "--train", "logreg:summary", folder / "log.bin", "--folds", 2, "--json")
    plain, more = (json.loads(invoke(*line).stdout) for line in (alone, (*alone, "--others", folder / "other.bin")))
    assert more["data"] == plain["data"]
    assert more["method"].endswith("seed 1, and on 1 recording of others; an own row counts as 4 of theirs")
    assert more["average_precision"]["value"] != plain["average_precision"]["value"]
    assert more["average_precision"]["samples"] == plain["average_precision"]["samples"]
    refused = invoke(
        "evaluate", "--model-file", folder / "model.onnx", folder / "log.bin", "--others", folder / "other.bin"
    )
    assert refused.exit_code == 2
    assert "--others is for --train" in refused.stderr


def test_outdir_holds_numbers_page_and_picture(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = invoke(
        "evaluate", "--model-file", folder / "model.onnx", folder / "other.bin", "--outdir", out, "--dpi", 40
    )
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["evaluation.json", "evaluation.md", "sweep.png"]
    assert json.loads((out / "evaluation.json").read_text())["operating"]["accepted"]["total"] > 0


def test_threshold_moves_the_operating_point(folder: Path) -> None:
    base = ("evaluate", "--model-file", folder / "model.onnx", folder / "other.bin")
    assert "wheels on at 0.8, off below 0.4" in invoke(*base, "--threshold", 0.8).output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--train", "logreg:summary", "quiet.bin"), "the trigger is never pulled"),
        (
            ("--train", "logreg:summary", "log.bin", "--threshold", "2"),
            "'--threshold': '2': expected a number from 0.05 to 0.95",
        ),
        (("--train", "logreg:summary", "log.bin", "--threshold", "nan"), "'--threshold': 'nan': expected a number"),
        (("--train", "logreg:summary", "missing.bin"), "missing.bin: No such file"),
        (("--model-file", "missing.onnx", "log.bin"), "missing.onnx: No such file"),
        (("--model-file", "log.bin", "log.bin"), "is not an ONNX model"),
        (("--train", "logreg:summary", "log.bin", "--folds", "70"), "use at most 60 folds"),
        (("--train", "logreg:summary", "log.bin", "--folds-by", "session"), "there is 1"),
        (("--train", "logreg", "log.bin"), "'logreg' is not a model"),
        (("log.bin",), "give either --model-file or --train"),
        (("--train", "logreg:summary", "--model-file", "model.onnx", "log.bin"), "give either"),
        (("--train", "logreg:summary", "log.bin", "log.bin"), "give each log once"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line_and_writes_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(folder)
    result = invoke("evaluate", *arguments, "--outdir", tmp_path / "out")
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert not (tmp_path / "out").exists()


def test_log_at_another_rate_is_refused(folder: Path, tmp_path: Path) -> None:
    trigger = np.arange(200) == 100
    write_log(tmp_path / "slow.bin", samples_at(np.arange(200) * 20, trigger=trigger))
    result = invoke("evaluate", "--model-file", folder / "model.onnx", tmp_path / "slow.bin")
    assert result.exit_code == 2
    assert "has 50 samples a second; models take 100" in result.stderr


def test_turn_adds_a_line_for_each_angle_in_text_and_json(folder: Path) -> None:
    base = (
        "evaluate",
        "--model-file",
        folder / "model.onnx",
        folder / "other.bin",
        "--turn",
        "10,90",
        "--turn-axes",
        2,
    )
    lines = invoke(*base).output.splitlines()
    at = next(position for position, line in enumerate(lines) if line.startswith("turned by"))
    assert [line.split("  ")[0] for line in lines[at + 1 : at + 4]] == ["not turned", "10 degrees", "90 degrees"]
    values = json.loads(invoke(*base, "--json").stdout)
    assert [one["degrees"] for one in values["turned"]] == [0, 10, 90]
    assert values["turned"][0]["duty"] == pytest.approx(values["operating"]["duty"])


def test_training_on_turned_rows_changes_the_results(folder: Path) -> None:
    base = ("evaluate", "--train", "logreg:summary", folder / "log.bin", "--folds", 2, "--json")
    plain, turned = (json.loads(invoke(*base, *more).stdout) for more in ((), ("--turned-deg", 40)))
    assert plain["average_precision"] != turned["average_precision"]


def test_scoring_recordings_as_tasks_gives_the_numbers_of_scoring_them_in_turn(folder: Path) -> None:
    model = load_model(folder / "model.onnx")
    sessions = open_sessions([read_log(folder / "log.bin"), read_log(folder / "other.bin")])
    here = score_sessions(model, sessions)
    spread = score_sessions_on(TaskRunner(Workers(jobs=2)), model, sessions)
    assert [trace.session for trace in spread] == [trace.session for trace in here]
    for one, other in zip(spread, here, strict=True):
        np.testing.assert_array_equal(one.probability, other.probability)


DASK_SCRIPT = """
import subprocess, sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        command = [sys.executable, "-m", "stinger", "evaluate", "--dask", cluster.scheduler_address, *sys.argv[1:]]
        sys.exit(subprocess.run(command, timeout=300).returncode)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["--model-file", "--train"])
def test_a_dask_cluster_gives_the_numbers_of_this_machine(folder: Path, tmp_path: Path, how: str) -> None:
    pytest.importorskip("distributed")
    (tmp_path / "cluster.py").write_text(DASK_SCRIPT)
    arguments = [how, folder / "model.onnx" if how == "--model-file" else "logreg:summary"]
    arguments += ["--json", folder / "log.bin", folder / "other.bin"]
    spread = run_program(
        sys.executable, tmp_path / "cluster.py", *arguments, timeout_s=3 * PATIENCE_S, PYTHONPATH=str(ROOT)
    )
    assert spread.returncode == 0, spread.stderr
    assert json.loads(spread.stdout) == json.loads(invoke("evaluate", *arguments).stdout)


def test_a_cluster_that_does_not_answer_is_one_line(folder: Path) -> None:
    result = invoke("evaluate", "--model-file", folder / "model.onnx", "--dask", "junk://h:1", folder / "log.bin")
    assert result.exit_code == 2
    assert "junk://h:1: no Dask scheduler answers there" in result.stderr

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result

from tests.helpers.cli import invoke
from tests.helpers.patience import PATIENCE_S
from tests.helpers.retraining import keep_recording, promote_blind
from tests.helpers.synthetic import synthetic_samples

QUICK = "--jobs 1 --candidate logreg:summary --min-shots 20 --max-false-per-minute 4"


def retrain(folder: Path, line: str = "") -> Result:
    return invoke("retrain", "--data-dir", folder, *line.split())


def recorded(folder: Path) -> None:
    promote_blind(folder)
    for seed in (1, 2):
        keep_recording(folder, synthetic_samples(6000, 15, seed=seed), hours=seed)


def test_too_little_data_is_not_yet_with_exit_code_0(tmp_path: Path) -> None:
    result = retrain(tmp_path)
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "not yet: There are 0 accepted shots that the champion was not trained on; a comparison needs 100"
    )


def test_new_champion_and_report_are_printed(tmp_path: Path) -> None:
    recorded(tmp_path)
    result = retrain(tmp_path, QUICK)
    assert result.exit_code == 0, result.output
    outcome, champion, report = result.stdout.splitlines()
    assert outcome.startswith("promoted: logreg:summary replaces the champion 20")
    assert champion.startswith("The champion is now 20")
    assert Path(report.removeprefix("report: ")).is_file()


def test_json_is_one_document_with_everything(tmp_path: Path) -> None:
    recorded(tmp_path)
    values = json.loads(retrain(tmp_path, f"{QUICK} --json").stdout)
    assert values["outcome"] == "promoted"
    assert values["contest"]["challengers"][0]["held_out"]["accepted_shots"] == 30
    assert Path(values["folder"], "retraining.json").is_file()


def test_left_out_recording_is_a_warning(tmp_path: Path) -> None:
    keep_recording(tmp_path, synthetic_samples(1000, 3)).write_bytes(b"\xff" * 1700)
    assert "Warning: left out: " in retrain(tmp_path).stderr


def test_configuration_file_of_the_daemon_is_used(tmp_path: Path) -> None:
    recorded(tmp_path / "kept")
    (tmp_path / "stinger.toml").write_text(
        'data_dir = "kept"\nthreshold = 0.6\n[retrain]\nmin_shots = 31\ncandidates = ["logreg:summary"]\n'
    )
    result = invoke("retrain", "--config", tmp_path / "stinger.toml")
    assert "There are 30 accepted shots" in result.stdout
    assert "a comparison needs 31" in result.stdout
    assert "Warning: The configuration sets the threshold to 0.6" in result.stderr


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("--every 6", "--every': expected a duration such as 30d, 12h or 90m, not '6'"),
        ("--every 0s", "expected a duration such as 30d, 12h or 90m, not '0s'"),
        ("--every 0.5s", "expected 1s to 366d, not '0.5s'"),
        ("--every 9000d", "expected 1s to 366d, not '9000d'"),
        ("--candidate svm:rich", "--candidate: there is no model 'svm'"),
        ("--confidence 2", "--confidence: expected a number from 0.5 to 0.9999, not 2.0"),
        (
            "--margin 0.1",
            "--margin is no longer used: models are compared by cost, with an interval: set retrain.confi",
        ),
        ("none.bin", "none.bin: No such file or directory"),
        ("--config none.toml --every 1s", "none.toml: No such file or directory"),
    ],
)
def test_mistake_is_one_line_and_exit_code_2(tmp_path: Path, line: str, complaint: str) -> None:
    result = retrain(tmp_path, line)
    assert result.exit_code == 2
    assert complaint in result.stderr.splitlines()[-1]


def test_scheduler_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    recorded(tmp_path)
    result = retrain(tmp_path, f"{QUICK} --dask junk://h:1")
    assert result.exit_code == 2
    assert "junk://h:1: no Dask scheduler answers there" in result.stderr


def test_nothing_heavy_is_loaded_before_training_begins() -> None:
    code = """
import sys
from service.cli.retrain import retrain_command
from service.retraining.attempt import retrain
from service.retraining.contest_plan import plan_contest
import service.daemon.daemon
print([name for name in ("sklearn", "matplotlib", "onnx", "skl2onnx", "distributed") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    assert done.stdout == "[]\n"

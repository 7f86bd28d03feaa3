from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.decision_parameters import DecisionParameters
from models.model_file import load_model
from models.registry import Registry
from tests.helpers.cli import invoke


def test_calibration_writes_a_new_model_with_the_threshold_and_the_same_graph(folder: Path, tmp_path: Path) -> None:
    budget = ("--max-false-per-minute", 20, "--out", tmp_path / "new.onnx")
    result = invoke("calibrate", "--model-file", folder / "model.onnx", folder / "other.bin", *budget)
    assert result.exit_code == 0, result.output
    old, new = load_model(folder / "model.onnx"), load_model(tmp_path / "new.onnx")
    assert f"threshold {new.meta.decision.on:.2f}" in result.output
    windows = np.random.default_rng(1).integers(-3000, 3000, (20, 50, 6)).astype(np.int16)
    assert np.array_equal(old.probability(windows), new.probability(windows))
    again = invoke("evaluate", "--model-file", tmp_path / "new.onnx", folder / "other.bin", "--json")
    assert json.loads(again.stdout)["operating"]["false"]["value"] <= 20


def test_calibration_adds_a_version_to_the_registry_and_promotes_nothing(folder: Path, tmp_path: Path) -> None:
    budget = ("--max-false-per-minute", 20, "--data-dir", tmp_path)
    result = invoke("calibrate", "--model-file", folder / "model.onnx", folder / "other.bin", *budget)
    assert result.exit_code == 0, result.output
    registry = Registry(tmp_path / "registry")
    (version,) = registry.versions()
    assert registry.champion() is None
    assert version.id in result.output
    assert version.blaster_path is not None
    calibration = version.report()["calibration"]
    assert calibration["operating"]["parameters"]["on"] == load_model(version.model_path).meta.decision.on


def test_dry_run_of_calibration_writes_nothing(folder: Path, tmp_path: Path) -> None:
    budget = ("--max-false-per-minute", 20, "--data-dir", tmp_path, "--dry-run")
    assert invoke("calibrate", "--model-file", folder / "model.onnx", folder / "other.bin", *budget).exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_budget_that_no_threshold_meets_is_refused_with_the_trade_off(folder: Path, tmp_path: Path) -> None:
    budget = ("--max-false-per-minute", 0, "--max-duty", 0, "--data-dir", tmp_path)
    result = invoke("calibrate", "--model-file", folder / "model.onnx", folder / "other.bin", *budget)
    assert result.exit_code == 2
    assert "false/min" in result.stdout
    assert result.stderr.count("\n") == 1
    assert "no threshold has a shot in time within 0 false spin-ups a minute and 0 % of duty" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_place_that_cannot_be_written_is_found_before_the_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replay.cli.calibrate.load_model", lambda _: pytest.fail("the work was begun"))
    budget = ("--max-false-per-minute", 20, "--out", tmp_path / "nowhere" / "new.onnx")
    result = invoke("calibrate", "--model-file", folder / "model.onnx", folder / "other.bin", *budget)
    assert result.exit_code == 2
    assert "new.onnx: No such file or directory" in result.stderr


def test_calibration_for_a_blaster_sets_the_threshold_alone_and_names_the_number_for_the_menu(
    folder: Path, tmp_path: Path
) -> None:
    options = ("--for", "blaster", "--max-false-per-minute", 20, "--out", tmp_path / "new.onnx")
    result = invoke("calibrate", "--model-file", folder / "model.onnx", folder / "other.bin", *options)
    assert result.exit_code == 0, result.output
    decision = load_model(tmp_path / "new.onnx").meta.decision
    assert decision == DecisionParameters(on=decision.on)
    assert f"Set {100 * decision.on:.0f} % in the blaster's menu." in result.output.splitlines()


def test_calibration_for_a_blaster_refuses_a_model_that_no_blaster_runs(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "ridge.onnx"
    trained = invoke("train", "--labels", "stream", folder / "log.bin", "--model", "ridge", "--out", out)
    assert trained.exit_code == 0, trained.output
    result = invoke("calibrate", "--model-file", out, folder / "other.bin", "--for", "blaster", "--threshold", 0.5)
    assert result.exit_code == 2
    assert "Error: the blaster cannot run ridge:summary" in result.stderr


def test_calibration_reports_results_on_parts_that_it_was_not_chosen_on(folder: Path, tmp_path: Path) -> None:
    options = ("--max-false-per-minute", 20, "--data-dir", tmp_path)
    result = invoke("calibrate", "--model-file", folder / "model.onnx", folder / "other.bin", *options)
    assert result.exit_code == 0, result.output
    assert "On parts that it was not chosen on: " in result.output
    (version,) = Registry(tmp_path / "registry").versions()
    calibration = version.report()["calibration"]
    assert calibration["chosen_for"] == "daemon"
    assert 0 <= calibration["held_out"]["in_time"] <= 1
    assert calibration["envelope"]["units"] == "blocks of time"


def test_dearer_wheels_lead_to_a_higher_threshold(folder: Path) -> None:
    thresholds = []
    for cost in (0.1, 30):
        options = ("--for", "blaster", "--max-false-per-minute", 100, "--cost-minute-on", cost, "--dry-run")
        result = invoke("calibrate", "--model-file", folder / "model.onnx", folder / "other.bin", *options)
        (line,) = (line for line in result.output.splitlines() if line.startswith("Set "))
        thresholds.append(int(line.split()[1]))
    assert thresholds[0] < thresholds[1]


def test_limit_that_costs_much_is_named_with_what_would_be_possible_without_it(folder: Path) -> None:
    lines = []
    for max_duty in (1, 0.25):
        options = ("--for", "blaster", "--max-false-per-minute", 100, "--max-duty", max_duty, "--dry-run")
        result = invoke("calibrate", "--model-file", folder / "model.onnx", folder / "other.bin", *options)
        assert result.exit_code == 0, result.output
        lines.append([line for line in result.output.splitlines() if line.startswith("Without the limits, 0.")])
    assert lines[0] == []
    assert len(lines[1]) == 1

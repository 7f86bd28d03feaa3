from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.model_file import load_model
from models.row_options import STREAM_FIT
from stinger.logs.writing import encode_bin
from tests.helpers.cli import invoke_line
from tests.helpers.synthetic import synthetic_samples
from tests.models.datasets import make_dataset, write_train_dir


@pytest.fixture(autouse=True)
def in_a_folder_with_a_training_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_train_dir(tmp_path / "ml_out" / "train", make_dataset(shots=12, sessions=2))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "train --train-dir ml_out/train --model logreg --features summary",
        "train --train-dir ml_out/train --model ridge --features summary",
        "train --train-dir ml_out/train --model mlp --features flatten",
        "train --train-dir ml_out/train --model mlp --features rich",
        "train --train-dir ml_out/train --model rf --features rich",
        "train --train-dir ml_out/train --model et --features rich",
        "train --train-dir ml_out/train --model hgb --features rich",
        "train --train-dir ml_out/train --model logreg --features summary --split time",
        "train --train-dir ml_out/train --model logreg --features summary --split group",
        "train --train-dir ml_out/train --model logreg --features summary --split session",
        "train --train-dir ml_out/train --model xgb --features rich --trees 20",
        "train --train-dir ml_out/train --model mlp --mlp-hidden 8,4 --mlp-alpha 0.01 --max-rows 20 --seed 7",
    ],
)
def test_a_line_of_the_old_scripts_prints_the_metrics(line: str) -> None:
    result = invoke_line(line)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    for label in ("dataset    36 rows: 12 positive, 24 negative", "ROC AUC", "PR AUC", "best F1", "at threshold 0.50"):
        assert label in result.stdout


def test_json_has_the_figures_of_the_text() -> None:
    result = invoke_line("train --train-dir ml_out/train --split group --json")
    values = json.loads(result.stdout)
    assert values["dataset"]["rows"] == 36
    assert values["train"]["rows"] + values["test"]["rows"] == 36
    assert f"{values['roc_auc']:.3f}" in invoke_line("train --train-dir ml_out/train --split group").stdout
    assert values["report"]["positive"]["support"] == values["test"]["positives"]
    assert (values["model"], values["features"], values["split"]) == ("logreg", "summary", "group")


def test_max_rows_limits_what_is_used() -> None:
    values = json.loads(invoke_line("train --train-dir ml_out/train --max-rows 20 --json").stdout)
    assert values["train"]["rows"] + values["test"]["rows"] == 20


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("train some.bin", "--labels windows trains on a training set: give --train-dir"),
        ("train --train-dir ml_out/train some.bin", "--labels windows trains on a training set"),
        ("train --labels stream", "--labels stream trains on recordings: give them as LOG"),
        ("train --labels stream --train-dir ml_out/train some.bin", "give them as LOG, without --train-dir"),
        ("train --labels stream nowhere.bin", "nowhere.bin: No such file or directory"),
        ("train --train-dir ml_out/train --others some.bin", "--others is for --labels stream"),
        ("train --labels stream some.bin --others more.bin --own-weight 0.5", "0.5 is not in the range"),
        ("train --labels stream --horizon-ms 50 nowhere.bin", "a shot 100 to 50 ms after a sample"),
        ("train --train-dir nowhere", "nowhere/meta.json: No such file or directory"),
        ("train --train-dir ml_out/train --mlp-hidden 64,x", "not a list of layer widths"),
        ("train --train-dir ml_out/train --mlp-hidden 0", "not a list of layer widths"),
        ("train --train-dir ml_out/train --test-size 1", "is not in the range 0<x<1"),
        ("train --train-dir ml_out/train --model svm", "'svm' is not one of"),
        ("train --train-dir ml_out/train --max-rows 1", "1 rows cannot contain 2 classes"),
        ("train --train-dir ml_out/train --max-rows 4", "both classes on both sides"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(line: str, complaint: str) -> None:
    result = invoke_line(line)
    assert result.exit_code == 2
    assert complaint in result.stderr.splitlines()[-1]
    assert result.stdout == ""


def test_sessions_cannot_be_held_out_where_there_is_one(tmp_path: Path) -> None:
    folder = write_train_dir(tmp_path / "one", make_dataset())
    result = invoke_line(f"train --train-dir {folder} --split session")
    assert result.exit_code == 2
    assert "Error: a session split needs several sessions: 1 there" in result.stderr


def test_a_training_set_without_positives_is_refused(tmp_path: Path) -> None:
    dataset = make_dataset()
    dataset.labels[:] = 0
    result = invoke_line(f"train --train-dir {write_train_dir(tmp_path / 'none', dataset)}")
    assert result.exit_code == 2
    assert "Error: the training set has no positives" in result.stderr


def test_recordings_are_trained_on_without_an_exported_set(tmp_path: Path) -> None:
    for seed in (1, 2):
        (tmp_path / f"s{seed}.bin").write_bytes(encode_bin(synthetic_samples(6000, 15, seed=seed)))
    line = "train --labels stream s1.bin s2.bin --model mlp --features rich --split session --out m/model.onnx --json"
    result = invoke_line(line)
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    assert values["dataset"]["sessions"] == 2
    assert values["dataset"]["positives"] == 30 * 21
    assert (values["mlp_alpha"], values["trees"]) == (STREAM_FIT.mlp_alpha, STREAM_FIT.trees)
    model = load_model(tmp_path / "m" / "model.onnx")
    assert len(model.meta.training["inputs_sha256"]) == 2
    assert model.meta.metrics["split"] == "session"


def test_samples_in_two_logs_are_used_once(tmp_path: Path) -> None:
    samples = synthetic_samples(6000, 15)
    (tmp_path / "whole.bin").write_bytes(encode_bin(samples))
    (tmp_path / "begin.bin").write_bytes(encode_bin(samples[:3000]))
    result = invoke_line("train --labels stream whole.bin begin.bin --json")
    assert result.exit_code == 0, result.output
    assert "begin" in result.stderr
    assert json.loads(result.stdout)["dataset"]["sessions"] == 1


def test_recordings_of_others_are_trained_on_with_less_weight_and_never_tested_on(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    for name, seed in (("s1.bin", 1), ("theirs/s1.bin", 2)):  # names may be equal
        (tmp_path / name).write_bytes(encode_bin(synthetic_samples(3000, 8, seed=seed)))
    line = "train --labels stream s1.bin --split group"
    alone = json.loads(invoke_line(f"{line} --json").stdout)
    light, equal = (
        json.loads(invoke_line(f"{line} --json --others theirs/s1.bin --own-weight {weight}").stdout)
        for weight in (100, 1)
    )
    assert light["dataset"]["sessions"] == 2
    assert light["test"] == equal["test"] == alone["test"]
    assert light["train"]["rows"] - alone["train"]["rows"] == light["dataset"]["rows"] - alone["dataset"]["rows"]
    assert light["pr_auc"] != equal["pr_auc"]
    result = invoke_line(f"{line} --others theirs/s1.bin --out m.onnx")
    assert "1 recording of others, trained on only; an own row counts as 4 of theirs" in result.stdout
    assert len(load_model(tmp_path / "m.onnx").meta.training["inputs_sha256"]) == 2


def test_recordings_of_others_that_are_the_persons_own_are_left_out(tmp_path: Path) -> None:
    samples = synthetic_samples(6000, 15)
    (tmp_path / "whole.bin").write_bytes(encode_bin(samples))
    (tmp_path / "begin.bin").write_bytes(encode_bin(samples[:3000]))
    result = invoke_line("train --labels stream whole.bin --others begin.bin")
    assert result.exit_code == 2
    assert "left out: begin: it shares samples with the logs to train on" in result.stderr
    assert "Error: --others: nothing is left to train on" in result.stderr


def test_turned_copies_are_trained_on_but_not_tested_on(tmp_path: Path) -> None:
    for seed in (1, 2):
        (tmp_path / f"s{seed}.bin").write_bytes(encode_bin(synthetic_samples(3000, 8, seed=seed)))
    line = "train --labels stream s1.bin s2.bin --split session --json"
    plain, turned = (json.loads(invoke_line(f"{line}{more}").stdout) for more in ("", " --turned-deg 30"))
    assert (plain["turned_deg"], turned["turned_deg"]) == (0, 30)
    assert turned["test"] == plain["test"]
    assert turned["roc_auc"] != plain["roc_auc"]

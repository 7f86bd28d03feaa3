"""The same samples under other names, formats and clocks: found by every command that splits or tests, and used once."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from stinger.logs import read_log, write_log
from stinger.sample import SampleArray
from tests.conftest import CAPTURE
from tests.helpers.cli import invoke
from tests.helpers.synthetic import synthetic_samples


def recorded(seed: int = 1) -> SampleArray:
    return synthetic_samples(9000, 25, seed=seed)


def retimed(samples: SampleArray) -> SampleArray:
    changed = samples.copy()
    changed["timestamp_ms"] += 987_654
    return changed


def thinned(samples: SampleArray) -> SampleArray:
    """Return ``samples`` as a link leaves them that loses one of ten."""
    return samples[np.random.default_rng(1).random(samples.size) > 0.1]


COPIES: dict[str, Callable[[SampleArray], SampleArray]] = {
    "csv": lambda samples: samples,
    "earlier pull": lambda samples: samples[:6000],
    "from the middle on": lambda samples: retimed(samples[3500:]),
    "other clock": retimed,
    "lost samples": lambda samples: retimed(thinned(samples)),
}


KIND_OF_COPY = pytest.mark.parametrize("kind", COPIES)
QUICK = {"csv", "lost samples"}
KIND_OF_COPY_FEW = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in QUICK else pytest.mark.slow) for kind in COPIES]
)
"""For tests that run several commands; tests/models/test_overlaps.py has every kind of copy."""

FEW = ("--max-shots", 1, "--dpi", 30)
EVALUATE = ("evaluate", "--train", "logreg:summary", "--jobs", 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a.bin and other.bin; a training set of a.bin, and model.onnx, trained on that."""
    folder = tmp_path_factory.mktemp("made")
    with chdir(folder):
        write_log("a.bin", recorded())
        write_log("other.bin", recorded(seed=2))
        assert invoke("explore", "a.bin", "--export-dataset", *FEW).exit_code == 0
        assert invoke("train", "--train-dir", "ml_out/train", "--refit", "--out", "model.onnx").exit_code == 0
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the files of :func:`made`."""
    copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def without_copy(made: Path) -> dict[str, object]:
    """The accepted shots in an evaluation of a.bin and other.bin."""
    with chdir(made):
        return evaluated("a.bin", "other.bin")[0]


def write_copy(kind: str) -> None:
    """Write copy.csv, a copy of a.bin."""
    write_log("copy.csv", COPIES[kind](recorded()))


@pytest.mark.usefixtures("folder")
@KIND_OF_COPY
def test_the_numbers_repeat_the_warnings(kind: str) -> None:
    write_copy(kind)
    result = invoke(*EVALUATE, "--json", "a.bin", "copy.csv")
    (line,) = result.stderr.splitlines()
    assert line.removeprefix("Warning: ") in json.loads(result.stdout)["warnings"]


def evaluated(*logs: str) -> tuple[dict[str, object], str]:
    result = invoke(*EVALUATE, "--json", *logs)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["operating"]["accepted"], result.stderr


@pytest.mark.usefixtures("folder")
@KIND_OF_COPY_FEW
def test_evaluate_tests_as_if_the_copy_were_not_given(without_copy: dict[str, object], kind: str) -> None:
    write_copy(kind)
    with_copy, warnings = evaluated("a.bin", "copy.csv", "other.bin")
    assert with_copy == without_copy
    assert warnings.startswith("Warning: left out: copy: its samples (")
    assert warnings.endswith(" are also in a\n")


@pytest.mark.usefixtures("folder")
@KIND_OF_COPY
def test_training_set_has_no_window_twice(kind: str) -> None:
    write_copy(kind)
    result = invoke("explore", "a.bin", "copy.csv", "--export-dataset", *FEW)
    assert result.exit_code == 0, result.output
    assert "Warning: left out: copy: its samples" in result.stderr
    assert json.loads(Path("ml_out/train/meta.json").read_text())["sessions"] == ["a"]


@pytest.mark.usefixtures("folder")
@KIND_OF_COPY_FEW
def test_model_recognises_what_it_was_trained_on_in_a_copy(kind: str) -> None:
    write_copy(kind)
    model = ("--model-file", "model.onnx")
    limits = ("--max-false-per-minute", 100, "--dry-run")
    assert "The model was trained on " in invoke("evaluate", *model, "copy.csv").output
    assert "The model was trained on " not in invoke("evaluate", *model, "other.bin").output
    assert "The model was trained on " in invoke("calibrate", *model, *limits, "copy.csv").output


@pytest.mark.usefixtures("folder")
def test_plot_recognises_what_its_models_were_trained_on_in_a_copy() -> None:
    write_copy("lost samples")
    few = ("--max-shots", 0, "--max-negs", 0, "--dpi", 30, "--model", "logreg")
    own = invoke("plot", "--csv", "copy.csv", *few)
    file = invoke("plot", "--csv", "copy.csv", "--model-file", "model.onnx", *few)
    assert "Warning: the models are trained on " in own.stderr
    assert "Warning: model.onnx was trained on " in file.stderr
    assert " trained on " not in invoke("plot", "--csv", "other.bin", *few).stderr


def test_parts_of_two_recordings_that_overlap_are_used_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_log("early.bin", recorded()[:6000])
    write_log("late.csv", retimed(recorded()[2000:]))
    accepted, warnings = evaluated("early.bin", "late.csv")
    assert warnings == "Warning: early: 40.0 s of its 1.0 min are also in late, and are used once\n"
    assert accepted["total"] <= 25  # type: ignore[operator]


@pytest.mark.skipif(not CAPTURE.exists(), reason="needs ../shared/data")
@pytest.mark.parametrize("first_row", [1, 5000, 16_009])
def test_capture_cut_at_any_row_is_found_though_other_rows_become_samples(tmp_path: Path, first_row: int) -> None:
    header, *rows = CAPTURE.read_text().splitlines()
    (tmp_path / "part.csv").write_text("\n".join([header, *rows[first_row:]]) + "\n")
    write_log(tmp_path / "converted.bin", read_log(CAPTURE).samples)
    for other in (CAPTURE, tmp_path / "converted.bin"):
        result = invoke(*EVALUATE, "--folds", 3, other, tmp_path / "part.csv")
        assert result.exit_code == 0, result.output
        assert "Warning: left out: part: its samples" in result.stderr

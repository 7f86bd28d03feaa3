"""Training sets in which two sessions hold the same windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.dataset import Dataset, write_dataset
from models.export import ExportOptions, build_dataset
from models.repeated_rows import without_repeated_rows
from tests.helpers.cli import invoke
from tests.helpers.retraining import session_of
from tests.helpers.synthetic import synthetic_samples
from tests.models.datasets import make_dataset


def training_set(*stretches: tuple[str, int, int, int]) -> Dataset:
    """Return the training set of sessions, each with name, seed and the samples from and to; nothing is left out."""
    sessions = []
    shots = 0
    for name, seed, start, stop in stretches:
        samples = synthetic_samples(9000, 25, seed=seed)[start:stop]
        samples["timestamp_ms"] -= samples["timestamp_ms"][0]
        session = session_of(samples, name)
        sessions.append(type(session)(name, session.recording, session.shots, shots))
        shots += session.accepted_shots
    return build_dataset(sessions, ExportOptions(), about={})


def test_training_set_without_repeats_stays_as_it_is() -> None:
    dataset = training_set(("a", 1, 0, 9000), ("b", 2, 0, 9000))
    found = without_repeated_rows(dataset)
    assert found.dataset is dataset
    assert found.warnings == ()


def test_copy_is_left_out_as_a_whole() -> None:
    found = without_repeated_rows(training_set(("a", 1, 0, 9000), ("b", 2, 0, 9000), ("copy", 1, 1000, 7000)))
    assert set(found.dataset.rows.session.tolist()) == {"a", "b"}
    assert found.warnings == ("left out: session copy: its windows are also in a",)


def test_windows_of_a_common_stretch_are_used_once() -> None:
    dataset = training_set(("late", 1, 3000, 9000), ("early", 1, 0, 5000), ("b", 2, 0, 9000))
    found = without_repeated_rows(dataset)
    assert len(found.warnings) == 1
    assert "are used once" in found.warnings[0]
    positives = found.dataset.windows[found.dataset.labels == 1]
    assert len({window.tobytes() for window in positives}) == len(positives)
    both = dataset.windows[dataset.labels == 1]
    assert {window.tobytes() for window in both} == {window.tobytes() for window in positives}
    assert len(found.dataset.rows.session) == len(found.dataset)


def test_windows_at_rest_are_no_repeats() -> None:
    dataset = make_dataset(shots=30, sessions=3, window_samples=50)
    dataset.windows[dataset.labels == 0] = 0
    assert without_repeated_rows(dataset).warnings == ()


@pytest.mark.parametrize("command", ["train", "benchmark"])
def test_command_warns_and_does_not_test_on_what_it_trains_on(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_dataset(tmp_path, training_set(("a", 1, 0, 9000), ("b", 2, 0, 9000), ("copy", 1, 0, 9000)))
    options = ("--split", "session") if command == "train" else ("--seeds", 1, "--jobs", 1)
    result = invoke(command, "--train-dir", tmp_path, *options)
    assert result.exit_code == 0, result.output
    assert "Warning: left out: session copy: its windows are also in a" in result.stderr


def test_training_set_of_an_older_tool_is_one_session() -> None:
    dataset = make_dataset(sessions=1, window_samples=50)
    dataset.rows.session[:] = ""
    assert without_repeated_rows(dataset).dataset is dataset
    assert np.unique(dataset.rows.session).size == 1

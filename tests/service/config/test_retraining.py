from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.export import ExportOptions
from models.negatives import RECOMMENDED
from models.spec import parse_spec
from models.stream_rows import StreamOptions
from service.config.loading import load_config
from service.config.retraining import RetrainConfig
from stinger.errors import InputError


def written(folder: Path, text: str) -> Path:
    path = folder / "stinger.toml"
    path.write_text(f"[retrain]\n{text}\n")
    return path


def test_rows_are_samples_of_the_stream_by_default_and_chosen_windows_as_recommended() -> None:
    assert RetrainConfig().row_options() == StreamOptions()
    assert RetrainConfig(labels="windows").row_options() == ExportOptions(negatives=RECOMMENDED)


def test_file_sets_candidates_rules_and_windows(tmp_path: Path) -> None:
    text = 'candidates = ["hgb:rich"]\nconfidence = 0.9\nlabels = "windows"\nneg_mult = 4\nlead_ms = 120'
    settings = load_config(written(tmp_path, text), {}, {}).retrain
    assert settings.specs() == (parse_spec("hgb:rich"),)
    assert settings.confidence == 0.9
    assert settings.row_options() == ExportOptions(negatives=replace(RECOMMENDED, mult=4), lead_ms=120)


def test_file_sets_the_horizon_of_stream_labels(tmp_path: Path) -> None:
    settings = load_config(written(tmp_path, "horizon_ms = 400\nseed = 3"), {}, {}).retrain
    assert settings.row_options() == StreamOptions(horizon_ms=400, seed=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('candidates = ["svm:rich"]', "there is no model 'svm'"),
        ('candidates = ["mlp"]', "expected MODEL:FEATURES"),
        ("candidates = []", "expected at least one MODEL:FEATURES"),
        ('candidates = ["mlp:rich", " mlp : rich"]', "names a candidate twice: mlp:rich, mlp:rich"),
        ("confidence = 2", "expected a number from 0.5 to 0.9999, not 2"),
        ("margin = 0.1", "line 2: retrain.margin is no longer used: .* set retrain.confidence"),
        ("session_margin = 0.1", "retrain.session_margin is no longer used: .* retrain.cost_missed_shot"),
        ("neg_near_min_ms = 3000", "the near band is 3000 to 2000 ms"),
        ("lead_ms = 400", "a shot 400 to 300 ms after a sample"),
        ('labels = "both"', "expected one of stream, windows"),
        ("window_ms = 400", "unknown key retrain.window_ms"),
    ],
)
def test_mistake_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_config(written(tmp_path, text), {}, {})
    assert "\n" not in str(caught.value)


def test_environment_and_options_reach_it() -> None:
    environ = {"STINGER_RETRAIN_CANDIDATES": "rf:rich et:rich", "STINGER_RETRAIN_MIN_SHOTS": "30"}
    settings = load_config(None, environ, {"retrain.min_shots": 40}).retrain
    assert settings.candidates == ("rf:rich", "et:rich")
    assert settings.min_shots == 40


def test_variable_of_an_earlier_version_is_refused_with_what_to_use() -> None:
    with pytest.raises(InputError, match=r"STINGER_RETRAIN_MARGIN is no longer used: .* set retrain\.confidence"):
        load_config(None, {"STINGER_RETRAIN_MARGIN": "0.1"}, {})

"""``stinger plot``: the command lines people use, what is written, what is refused."""

from __future__ import annotations

import csv
import shlex
from contextlib import chdir
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import numpy as np
import pytest
from click.testing import Result

from models.dataset import read_dataset
from models.estimators import EARLY_STOPPING_ROWS
from models.saving import fit_dataset
from models.scorer import score_recording
from models.spec import EstimatorOptions, parse_spec
from replay.plots.excerpt_picture import ExcerptLook
from stinger.logs import read_log, write_log
from stinger.sample import SampleArray
from tests.helpers.cli import invoke, invoke_line
from tests.helpers.synthetic import synthetic_samples

FAST = ["--dpi", "40"]


def plot(*arguments: str) -> Result:
    return invoke("plot", *shlex.split(" ".join(arguments)))


SAMPLES = synthetic_samples(4000, 12, gaps=2, bursts=3)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``ml_log.csv``, its training set, and ``kept.onnx``, a model trained on it."""
    folder = tmp_path_factory.mktemp("exported")
    with chdir(folder):
        write_log("ml_log.csv", SAMPLES)
        for line in (
            "explore ml_log.csv --export-dataset --dpi 40 --max-shots 1 --neg-mult 3",
            "train --train-dir ml_out/train --refit --out kept.onnx",
        ):
            result = invoke_line(line)
            assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def recorded(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SampleArray:
    """The samples of ``ml_log.csv``, which is in the current folder, together with its training set."""
    copytree(exported, tmp_path, dirs_exist_ok=True, ignore=ignore_patterns("kept.onnx"))
    monkeypatch.chdir(tmp_path)
    return SAMPLES.copy()


@pytest.fixture
def kept_model(exported: Path, recorded: SampleArray) -> str:
    """A model file in the folder of ``recorded``."""
    del recorded
    return Path(copy(exported / "kept.onnx", ".")).name


def rows_of(path: str) -> list[dict[str, str]]:
    with open(path, encoding="ascii") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("recorded")
def test_one_model_over_a_recording() -> None:
    result = plot(
        "--csv ml_log.csv --train-dir ml_out/train --outdir ml_out/predictions --model mlp --features rich",
        *FAST,
        "--max-shots",
        "3",
        "--max-negs",
        "2",
    )
    assert result.exit_code == 0, result.output
    out = Path("ml_out/predictions")
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png")) == [
        "negatives/neg_000.png",
        "negatives/neg_001.png",
        "overview.png",
        "pos_vs_neg_hist.png",
        "shots/shot_000.png",
        "shots/shot_001.png",
        "shots/shot_002.png",
    ]
    rows = rows_of("ml_out/predictions/predictions.csv")
    assert list(rows[0]) == ["timestamp_ms", "p", "trigger"]
    assert rows[0]["timestamp_ms"] == "600"
    assert all(0 <= float(row["p"]) <= 1 for row in rows)


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("count", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_models_compared(count: int) -> None:
    result = plot(
        "--csv ml_log.csv --train-dir ml_out/train --outdir ml_out/predictions_compare --compare",
        f"--max-shots {count} --max-negs {count} --dpi 25",
        "--model-spec logreg:summary --model-spec et:rich --model-spec mlp:rich",
    )
    assert result.exit_code == 0, result.output
    out = Path("ml_out/predictions_compare")
    assert len(list(out.glob("shots/shot_*.png"))) == len(list(out.glob("negatives/neg_*.png"))) == count
    rows = rows_of("ml_out/predictions_compare/predictions.csv")
    assert list(rows[0]) == ["timestamp_ms", "trigger", "p_logreg_summary", "p_et_rich", "p_mlp_rich"]


def test_each_row_has_the_output_of_the_window_that_ends_a_lead_before(recorded: SampleArray) -> None:
    assert (
        plot(
            "--model", "logreg", "--features", "summary", "--max-shots", "0", "--max-negs", "0", "--stride", "7", *FAST
        ).exit_code
        == 0
    )
    model, _ = fit_dataset(read_dataset("ml_out/train"), parse_spec("logreg:summary"), seed=1)
    axes = np.stack([recorded[name] for name in ("ax", "ay", "az", "gx", "gy", "gz")], axis=1)
    index = {int(time): i for i, time in enumerate(recorded["timestamp_ms"])}
    rows = rows_of("ml_out/predictions/predictions.csv")
    assert len(rows) > 500
    for row in rows[::40]:
        i = index[int(row["timestamp_ms"])]
        assert i % 7 == 0
        expected = model.probability(axes[None, i - 60 : i - 10])[0]
        assert float(row["p"]) == pytest.approx(expected, abs=2e-6)
        assert int(row["trigger"]) == recorded["trigger"][i]


def test_an_mlp_has_no_early_stopping(recorded: SampleArray) -> None:
    assert (
        invoke_line(
            "explore ml_log.csv --export-dataset --dpi 40 --max-shots 0 --neg-mult 10 --neg-min-sep-ms 50"
        ).exit_code
        == 0
    )
    dataset = read_dataset("ml_out/train")
    assert len(dataset) >= EARLY_STOPPING_ROWS
    assert plot("--model mlp --max-shots 0 --max-negs 0", *FAST).exit_code == 0
    model, _ = fit_dataset(dataset, parse_spec("mlp:rich"), seed=1, options=EstimatorOptions(mlp_early_stopping=False))
    (recording,) = read_log("ml_log.csv").recordings
    scores = score_recording(model, recording)
    index = {int(time): i for i, time in enumerate(recorded["timestamp_ms"])}
    for row in rows_of("ml_out/predictions/predictions.csv")[::50]:
        assert float(row["p"]) == pytest.approx(float(scores[index[int(row["timestamp_ms"])] - 11]), abs=1e-6)


def test_no_row_reaches_across_a_gap(recorded: SampleArray) -> None:
    assert plot("--model", "logreg", "--max-shots", "0", "--max-negs", "0", *FAST).exit_code == 0
    times = np.array([int(row["timestamp_ms"]) for row in rows_of("ml_out/predictions/predictions.csv")])
    raw = recorded["timestamp_ms"].astype(int)
    starts = raw[1:][np.diff(raw) > 50]
    assert starts.size == 2
    for start in [0, *starts]:
        assert not ((times >= start) & (times < start + 600)).any()


@pytest.mark.usefixtures("recorded")
def test_rejected_shots_come_after_the_accepted_ones() -> None:
    arguments = ["--model", "logreg", "--max-negs", "0", "--max-shots", "13", *FAST]
    assert "12 of 12 shots" in plot(*arguments).stdout
    assert "13 of 15 shots" in plot(*arguments, "--include-rejected-shots").stdout


@pytest.mark.usefixtures("recorded")
def test_windows_are_shaded_but_at_rejected_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[ExcerptLook] = []
    monkeypatch.setattr(
        "replay.plots.predictions.draw_excerpts", lambda series, **_: looks.extend(look for look, _ in series)
    )
    assert plot("--model logreg --include-rejected-shots", *FAST).exit_code == 0
    assert {(look.window_s, look.from_s, look.to_s) for look in looks} == {((-0.6, -0.1), -1.5, 0.3)}
    assert [(look.moment, look.window) for look in looks] == [
        ("shot", "label window"),
        ("rejected edge", None),
        ("end of the lead", "negative window"),
    ]


@pytest.mark.usefixtures("recorded")
def test_the_same_seed_gives_the_same_files() -> None:
    for outdir in ("one", "two"):
        arguments = ["--model", "mlp", "--max-shots", "1", "--max-negs", "1", "--outdir", outdir]
        assert plot(*arguments, *FAST).exit_code == 0
    for path in Path("one").rglob("*.*"):
        assert path.read_bytes() == (Path("two") / path.relative_to("one")).read_bytes()


@pytest.mark.usefixtures("recorded")
def test_a_recording_that_the_training_set_is_not_from_has_no_negatives_drawn() -> None:
    write_log("other.bin", synthetic_samples(3000, 8, seed=9))
    result = plot("--csv", "other.bin", "--model", "logreg", "--max-shots", "1", *FAST)
    assert result.exit_code == 0, result.output
    assert "0 negative windows: no negative window of the training set is from this recording" in result.stdout


@pytest.mark.parametrize("spec", ["logreg:summary", "mlp:rich", "et:rich"])
def test_the_numbers_are_those_of_the_scorer_that_the_daemon_uses(recorded: SampleArray, spec: str) -> None:
    name, features = spec.split(":")
    result = plot(f"--model {name} --features {features} --max-shots 0 --max-negs 0", *FAST)
    assert result.exit_code == 0, result.output
    trees_of_the_benchmark = EstimatorOptions(trees=600)
    model, _ = fit_dataset(read_dataset("ml_out/train"), parse_spec(spec), seed=1, options=trees_of_the_benchmark)
    (recording,) = read_log("ml_log.csv").recordings
    scores = score_recording(model, recording)
    index = {int(time): i for i, time in enumerate(recorded["timestamp_ms"])}
    rows = rows_of("ml_out/predictions/predictions.csv")
    assert len(rows) > 3000
    for row in rows:
        expected = scores[index[int(row["timestamp_ms"])] - 11]  # the lead of 10 samples, and the sample before it
        assert float(row["p"]) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.usefixtures("recorded")
def test_lead_other_than_that_of_the_training_set_is_warned_about() -> None:
    result = plot("--model", "logreg", "--lead-ms", "200", "--max-shots", "0", "--max-negs", "0", *FAST)
    assert result.exit_code == 0, result.output
    assert "exported with a lead of 100 ms, here it is 200" in result.stderr


def test_a_recording_of_another_rate_is_refused(recorded: SampleArray) -> None:
    write_log("slow.bin", recorded[::2])
    result = plot("--csv slow.bin --model logreg --outdir out", *FAST)
    assert result.exit_code == 2
    assert result.stderr == "Error: slow.bin: has 50 samples a second; models take 100\n"
    assert not Path("out").exists()


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("options", ["--model logreg", "--compare --model-spec logreg:flatten", "--model-file no.onnx"])
def test_windows_of_another_length_are_refused_with_the_reason(options: str) -> None:
    result = plot(options, "--window-ms 400 --outdir out")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: --window-ms 400: a model takes windows of 500 ms (50 samples at 100 Hz), as a blaster does, and no others "
        "can be plotted\n"
    )
    assert not Path("out").exists()


def test_a_training_set_of_other_windows_is_refused(kept_model: str) -> None:
    line = "ml_log.csv --export-dataset --dpi 40 --max-shots 1 --window-ms 400 --outdir short"
    assert invoke("explore", *line.split()).exit_code == 0
    for options in (f"--model-file {kept_model}", "--model logreg"):
        result = plot(options, "--train-dir short/train --outdir out")
        assert result.exit_code == 2
        assert "Error: short/train: the training set has windows of 40 samples, but a model needs 50" in result.stderr
        assert not Path("out").exists()


@pytest.mark.usefixtures("kept_model")
@pytest.mark.parametrize("options", ["--compare --model-spec ridge:summary", "--model-file kept.onnx"])
def test_model_that_does_not_count_is_warned_about(options: str) -> None:
    result = plot(options, "--model et --max-shots 0 --max-negs 0", *FAST)
    assert result.exit_code == 0, result.output
    assert "Warning: --model has no effect with" in result.stderr


def test_model_files_of_one_name_are_distinguished(kept_model: str) -> None:
    for folder in ("one", "two"):
        Path(folder).mkdir()
        Path(folder, kept_model).write_bytes(Path(kept_model).read_bytes())
    files = " ".join(f"--model-file {path}" for path in ("one/kept.onnx", "two/kept.onnx", "two/kept.onnx"))
    result = plot(f"--compare {files} --model-spec ridge:summary --outdir out --max-shots 1 --max-negs 0", *FAST)
    assert result.exit_code == 0, result.output
    columns = list(rows_of("out/predictions.csv")[0])[2:]
    assert columns == ["p_one/kept", "p_two/kept", "p_two/kept~2", "p_ridge_summary"]


def test_model_file_that_is_called_like_a_trained_model_has_a_column_of_its_own(kept_model: str) -> None:
    Path(kept_model).rename("ridge_summary.onnx")
    result = plot(
        "--compare --model-file ridge_summary.onnx --model-spec ridge:summary --outdir out --max-shots 0 --max-negs 0",
        *FAST,
    )
    assert result.exit_code == 0, result.output
    assert list(rows_of("out/predictions.csv")[0])[2:] == ["p_ridge_summary", "p_ridge_summary~2"]


def test_pictures_of_an_earlier_prediction_that_are_not_drawn_again_are_deleted(kept_model: str) -> None:
    assert plot("--model logreg --outdir out --max-shots 3 --max-negs 2", *FAST).exit_code == 0
    Path("out/shots/shot_000_t9.png").write_text("mine")
    Path("ml_out").rename("elsewhere")
    assert plot(f"--model-file {kept_model} --outdir out --max-shots 1", *FAST).exit_code == 0
    pictures = sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*.png"))
    assert pictures == ["overview.png", "shots/shot_000.png", "shots/shot_000_t9.png"]


def test_log_that_would_be_overwritten_is_refused(recorded: SampleArray) -> None:
    write_log("predictions.csv", recorded)
    before = Path("predictions.csv").read_bytes()
    result = plot("--csv predictions.csv --outdir . --model logreg")
    assert result.exit_code == 2
    assert "predictions.csv: would be overwritten" in result.stderr
    assert Path("predictions.csv").read_bytes() == before


def test_repairs_are_reported(recorded: SampleArray) -> None:
    Path("cut.bin").write_bytes(recorded.tobytes() + b"ab")
    result = plot("--csv cut.bin --model logreg --max-shots 0 --max-negs 0", *FAST)
    assert result.exit_code == 0, result.output
    assert "Warning: cut.bin: ignored 2 trailing bytes" in result.stderr


@pytest.mark.usefixtures("recorded")
def test_specs_without_compare_are_warned_about() -> None:
    result = plot("--model", "logreg", "--model-spec", "et:rich", "--max-shots", "0", "--max-negs", "0", *FAST)
    assert "--model-spec has no effect without --compare" in result.stderr


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv", "missing.bin"], "missing.bin"),
        (
            ["--train-dir", "nowhere"],
            "nowhere/meta.json: No such file or directory: stinger explore LOG --export-dataset",
        ),
        (["--compare", "--model-spec", "logreg"], "expected MODEL:FEATURES"),
        (["--compare", "--model-spec", "oracle:rich"], "there is no model 'oracle'"),
        (["--lead-ms", "100000"], "too short for one prediction"),
        (["--threshold", "1.5"], "not in the range"),
        (["--stride", "0"], "--stride"),
        (["--outdir", "ml_log.csv"], "ml_log.csv: exists and is not a folder"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line(arguments: list[str], message: str) -> None:
    result = plot("--model", "logreg", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr.strip().splitlines()[-1]
    assert not Path("ml_out/predictions").exists()


@pytest.mark.usefixtures("recorded")
def test_a_log_of_several_boots_is_plotted_boot_by_boot() -> None:
    write_log("two.bin", np.concatenate([synthetic_samples(1500, 4, seed=seed) for seed in (4, 5)]))
    result = plot("--csv", "two.bin", "--model", "logreg", "--max-shots", "1", "--max-negs", "0", *FAST)
    assert result.exit_code == 0, result.output
    times = [int(row["timestamp_ms"]) for row in rows_of("ml_out/predictions/predictions.csv")]
    assert times == [*range(600, 15_000, 10)] * 2


def test_model_file_is_plotted_without_training_and_without_a_training_set(kept_model: str) -> None:
    trained = plot("--model logreg --features summary --outdir trained --max-shots 1 --max-negs 0", *FAST)
    assert trained.exit_code == 0, trained.output
    Path("ml_out").rename("elsewhere")
    result = plot(f"--model-file {kept_model} --outdir kept --max-shots 1", *FAST)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in Path("kept").iterdir()) == ["overview.png", "predictions.csv", "shots"]
    # The kept model was fitted on all rows, as plot itself does: the same model, so the same numbers.
    assert Path("kept/predictions.csv").read_bytes() == Path("trained/predictions.csv").read_bytes()


def test_model_file_stands_beside_trained_models_when_compared(kept_model: str) -> None:
    result = plot(
        f"--compare --model-file {kept_model} --model-spec ridge:summary --outdir both --max-shots 1 --max-negs 1",
        *FAST,
    )
    assert result.exit_code == 0, result.output
    assert list(rows_of("both/predictions.csv")[0]) == ["timestamp_ms", "trigger", "p_kept", "p_ridge_summary"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--model-file nothing.onnx", "nothing.onnx: No such file"),
        ("--model-file kept.onnx --model-file kept.onnx", "need --compare"),
        ("--model-file kept.onnx --train-dir nowhere", "nowhere/meta.json: No such file"),
        ("--model-file ml_log.csv", "not an ONNX model"),
    ],
)
@pytest.mark.usefixtures("kept_model")
def test_model_file_that_cannot_be_plotted_is_one_line(options: str, message: str) -> None:
    result = plot(options, "--outdir out")
    assert result.exit_code == 2
    assert message in result.stderr
    assert not Path("out").exists()

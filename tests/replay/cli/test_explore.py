"""``stinger explore``: the command lines people use, what is written, what is refused."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from models.dataset import read_dataset
from replay.plots.excerpt_picture import ExcerptLook
from stinger.cli import main
from stinger.logs import read_log, write_log
from stinger.sample import axes
from tests.helpers.cli import invoke
from tests.helpers.synthetic import synthetic_samples

RECOMMENDED = shlex.split("""--clean --export-dataset --lead-ms 100 --window-ms 500 --min-shot-gap-ms 1000
    --neg-strategy mixed --neg-mixed-near-frac 0.6 --neg-mult 8 --neg-min-motion-quantile 0.2
    --neg-match-pos-motion --neg-pos-motion-q 0.05 --neg-min-sep-ms 200 --neg-with-replacement
    --neg-avoid-edges all --neg-avoid-post-ms 2000""")
FAST = ["--dpi", "40", "--max-shots", "2"]


def explore(*arguments: str) -> Result:
    return invoke("explore", *arguments)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    write_log("ml_log.csv", synthetic_samples(9000, 24, gaps=3, bursts=5))
    return "ml_log.csv"


@pytest.mark.parametrize(
    "options",
    [
        ["--outdir", "ml_out", "--clean", "--export-dataset"],
        ["--outdir", "ml_out", *RECOMMENDED],
        ["--outdir", "ml_out", "--clean", "--export-dataset", "--neg-strategy", "near", "--neg-mult", "1"],
    ],
)
def test_the_known_command_lines_write_a_training_set(log: str, options: list[str]) -> None:
    result = explore(log, *options, *FAST)
    assert result.exit_code == 0, result.output
    assert "ml_out/train: " in result.stdout
    dataset = read_dataset("ml_out/train")
    assert dataset.windows.shape[1:] == (50, 6)
    assert 0 < dataset.labels.sum() < len(dataset)
    assert dataset.meta["inputs"][0]["path"] == log
    command = main.get_command(click.Context(main), "explore")
    assert command is not None
    written_elsewhere = {"logs", "outdir", "clean_first", "export_dataset", "rate_hz", "every"}
    assert {str(option.name) for option in command.params} - written_elsewhere <= set(dataset.meta)
    assert {"capture_rate_hz", "capture_every"} <= set(dataset.meta)


def test_without_export_it_writes_pictures_and_a_summary_only(log: str) -> None:
    result = explore(log, "--dpi", "40", "--start-shot", "1", "--max-shots", "3")
    assert result.exit_code == 0, result.output
    files = sorted(path.relative_to("ml_out").as_posix() for path in Path("ml_out").rglob("*") if path.is_file())
    with open("ml_out/shots/index.csv", encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    assert [row["shot_num"] for row in rows] == ["1", "2", "3"]
    assert files == sorted(["dataset.png", "shots/index.csv", "summary.json", *(row["png"] for row in rows)])
    shot_ms = int(rows[0]["trigger_timestamp_ms"])
    assert rows[0]["png"] == f"shots/shot_001_t{shot_ms}.png"
    assert int(rows[0]["prediction_window_start_ms"]) == shot_ms - 600
    assert int(rows[0]["crop_end_ms"]) == shot_ms + 200


@pytest.mark.parametrize("options", [[], ["--max-shots", "0"]])
def test_every_accepted_shot_is_drawn_by_default(log: str, options: list[str]) -> None:
    write_log(log, synthetic_samples(3000, 5, bursts=2))
    result = explore(log, "--dpi", "20", *options)
    assert result.exit_code == 0, result.output
    assert len(list(Path("ml_out/shots").glob("shot_*.png"))) == 5


def test_label_window_is_shaded_where_lead_and_window_say(log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[ExcerptLook] = []
    monkeypatch.setattr(
        "replay.plots.exploration.draw_excerpts", lambda series, **_: looks.extend(look for look, _ in series)
    )
    assert explore(log, *FAST).exit_code == 0
    assert explore(log, *FAST, "--lead-ms", "200", "--window-ms", "300", "--shot-pre-ms", "900").exit_code == 0
    assert [(look.window_s, look.from_s, look.to_s) for look in looks] == [
        ((-0.6, -0.1), -1.0, 0.2),
        ((-0.5, -0.2), -0.9, 0.2),
    ]


def test_the_summary_counts_what_is_there(log: str) -> None:
    assert explore(log, *FAST).exit_code == 0
    summary = json.loads(Path("ml_out/summary.json").read_text())
    assert summary["samples"] == 9000
    assert summary["trigger"]["edges"] == 29
    assert summary["trigger"]["accepted"] == 24
    assert summary["timestamp_dt_ms"]["estimated_hz"] == 100


def test_the_summary_of_several_logs_adds_them_up(log: str) -> None:
    other = synthetic_samples(3000, 8, seed=5, bursts=2)
    other["ax"][7], other["gz"][9] = -32768, 32767
    write_log("other.bin", other)
    assert explore(log, "other.bin", *FAST).exit_code == 0
    summary = json.loads(Path("ml_out/summary.json").read_text())
    assert (summary["samples"], summary["duration_s"]) == (
        12_000,
        pytest.approx(sum(part["duration_s"] for part in summary["logs"])),
    )
    assert {key: summary["trigger"][key] for key in ("edges", "accepted", "rejected")} == {
        "edges": 39,
        "accepted": 32,
        "rejected": 7,
    }
    assert _saturated("other.bin") >= 2
    assert summary["saturated_samples"] == _saturated(log) + _saturated("other.bin")


def _saturated(log: str) -> int:
    channels = axes(read_log(log).samples)
    return int(((channels == -32768) | (channels == 32767)).any(axis=1).sum())


@pytest.mark.usefixtures("log")
def test_repairs_are_reported() -> None:
    Path("cut.bin").write_bytes(synthetic_samples(3000, 6).tobytes() + b"ab")
    result = explore("cut.bin", *FAST)
    assert result.exit_code == 0
    assert result.stderr == "Warning: cut.bin: ignored 2 trailing bytes that do not fill a 17-byte record\n"


def test_pictures_have_the_size_that_the_dpi_give(log: str) -> None:
    assert explore(log, "--dpi", "50", "--max-shots", "1").exit_code == 0
    with Image.open("ml_out/dataset.png") as picture:
        assert picture.size[0] == 11 * 50
        assert round(picture.info["dpi"][0]) == 50


def test_several_logs_become_sessions_of_one_dataset(log: str) -> None:
    write_log("other.bin", np.concatenate([synthetic_samples(3000, 8, seed=seed) for seed in (5, 6)]))
    result = explore(log, "other.bin", "--export-dataset", *FAST)
    assert result.exit_code == 0, result.output
    dataset = read_dataset("ml_out/train")
    assert set(dataset.rows.session) == {"ml_log", "other", "other#2"}
    positives = dataset.rows.shot_num[dataset.labels == 1]
    assert np.unique(positives).size == positives.size


def test_clean_removes_what_was_written_and_nothing_else(log: str) -> None:
    assert explore(log, "--export-dataset", *FAST).exit_code == 0
    kept = [
        "ml_out/notes.txt",
        "ml_out/shots/mine.png",
        "ml_out/train/model.onnx",
        "ml_out/predictions/shots/shot_000.png",
    ]
    for path in kept:
        Path(path).parent.mkdir(exist_ok=True, parents=True)
        Path(path).write_text("mine")
    kept += ["ml_out/shots/shot_999_t1.png"]
    Path("ml_out/shots/shot_999_t1.png").write_text("mine")
    written = json.loads(Path("ml_out/summary.json").read_text())["files"]
    assert explore(log, "--clean", "--dpi", "40", "--start-shot", "20", "--max-shots", "1").exit_code == 0
    again = json.loads(Path("ml_out/summary.json").read_text())["files"]
    assert not any((Path("ml_out") / name).exists() for name in set(written) - set(again))
    assert "train/meta.json" in set(written) - set(again)
    assert all(Path(path).read_text() == "mine" for path in kept)


@pytest.mark.parametrize(
    "summary", [None, "{}", "[1]", '{"files": ["../log.csv", "notes.txt", 3]}', "no JSON", "[" * 9999]
)
def test_clean_removes_nothing_that_no_summary_of_ours_lists(log: str, summary: str | None) -> None:
    mine = ["ml_out/train/index.csv", "ml_out/notes.txt", "log.csv"]
    for path in mine:
        Path(path).parent.mkdir(exist_ok=True, parents=True)
        Path(path).write_text("mine")
    if summary is not None:
        Path("ml_out/summary.json").write_text(summary)
    assert explore(log, "--clean", *FAST).exit_code == 0
    assert all(Path(path).read_text() == "mine" for path in mine)


def test_pictures_of_an_earlier_run_go_and_its_training_set_stays(log: str) -> None:
    assert explore(log, "--export-dataset", "--dpi", "40", "--max-shots", "5").exit_code == 0
    assert explore(log, "--dpi", "40", "--start-shot", "4", "--max-shots", "1").exit_code == 0
    assert len(list(Path("ml_out/shots").glob("*.png"))) == 1
    assert len(read_dataset("ml_out/train")) > 0
    assert explore(log, "--clean", *FAST).exit_code == 0
    assert not Path("ml_out/train").exists()


@pytest.mark.parametrize(
    ("where", "options"),
    [
        ("summary.json", ["--outdir", "."]),
        ("dataset.png", ["--outdir", "."]),
        ("ml_out/train/windows_i16le.bin", ["--export-dataset"]),
        ("ml_out/train/index.csv", ["--clean"]),
        ("ml_out/train/meta.json", ["--clean"]),
    ],
)
def test_log_that_would_be_overwritten_or_removed_is_refused(log: str, where: str, options: list[str]) -> None:
    assert explore(log, "--export-dataset", *FAST).exit_code == 0
    Path(log).replace(where)
    before = Path(where).read_bytes()
    result = explore(where, *options, *FAST)
    assert result.exit_code == 2
    assert "would be overwritten or deleted" in result.stderr
    assert Path(where).read_bytes() == before


def test_log_that_a_file_to_be_written_is_a_link_to_is_refused(log: str) -> None:
    Path("ml_out").mkdir()
    Path("ml_out/summary.json").symlink_to(Path(log).absolute())
    assert explore(log, *FAST).exit_code == 2


def test_session_too_short_for_a_window_is_named(log: str) -> None:
    write_log("short.bin", synthetic_samples(400, 1)[:40])
    result = explore(log, "short.bin", "--export-dataset", *FAST)
    assert result.exit_code == 0, result.output
    assert "left out, too short for a window: short" in result.stdout


def test_clean_does_not_follow_a_link_out_of_the_folder(log: str) -> None:
    Path("elsewhere").mkdir()
    Path("elsewhere/index.csv").write_text("mine")
    Path("ml_out").mkdir()
    Path("ml_out/train").symlink_to(Path("elsewhere").absolute())
    assert explore(log, "--clean", *FAST).exit_code == 0
    assert Path("elsewhere/index.csv").read_text() == "mine"


def test_options_that_leave_no_windows_change_nothing(log: str) -> None:
    assert explore(log, "--export-dataset", *FAST).exit_code == 0
    before = {path: path.read_bytes() for path in Path("ml_out").rglob("*") if path.is_file()}
    result = explore(
        log, "--clean", "--export-dataset", "--neg-avoid-post-ms", "3000000", "--window-ms", "60000", *FAST
    )
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: no negative window is left")
    assert {path: path.read_bytes() for path in Path("ml_out").rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.bin"], "missing.bin"),
        ([], "Missing argument 'LOG...'"),
        (["ml_log.csv", "ml_log.csv"], "same content"),
        (["ml_log.csv", "--lead-ms", "nan"], "nan is not a number"),
        (["ml_log.csv", "--window-ms", "0"], "not in the range"),
        (["ml_log.csv", "--neg-near-min-ms", "3000"], "the near band is 3000 to 2000 ms"),
        (["ml_log.csv", "--outdir", "ml_log.csv"], "ml_log.csv: exists and is not a folder"),
        (["ml_log.csv", "--dpi", "0"], "--dpi"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_line(arguments: list[str], message: str) -> None:
    result = explore(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr.strip().splitlines()[-1]
    assert not Path("ml_out").exists()


def test_a_log_without_shots_has_an_overview_still(log: str) -> None:
    still = synthetic_samples(500, 1)
    still["trigger"] = 0
    write_log(log, still)
    result = explore(log, "--dpi", "40")
    assert result.exit_code == 0, result.output
    assert Path("ml_out/dataset.png").exists()


def test_a_log_of_one_sample_has_an_overview_still(log: str) -> None:
    write_log(log, synthetic_samples(500, 1)[:1])
    assert explore(log, "--dpi", "40").exit_code == 0


@pytest.mark.parametrize("stem", ["costs $5 or $x_1$", "\N{HIRAGANA LETTER A}" * 5, "long" * 50])
def test_any_name_of_a_file_can_be_a_title(log: str, stem: str) -> None:
    Path(log).rename(f"{stem}.csv")
    result = explore(f"{stem}.csv", *FAST)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""

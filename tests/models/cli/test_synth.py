from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from models.synthetic import synthesise
from stinger.logs import read_log
from tests.helpers.cli import invoke
from tests.helpers.patience import PATIENCE_S


def test_file_holds_the_session_and_the_line_sums_it_up(tmp_path: Path) -> None:
    path = tmp_path / "session.bin"
    result = invoke("synth", "--minutes", "2", "--seed", "3", "--user", "9", "-o", path)
    expected = synthesise(minutes=2, seed=3, first_user=9)
    assert result.exit_code == 0
    assert result.output.startswith(f"{path}: {expected.shape[0]:,} samples, ")
    assert result.output.endswith(" shots, user 9\n")
    assert path.read_bytes() == expected.tobytes()


def test_every_option_reaches_the_session(tmp_path: Path) -> None:
    path = tmp_path / "session.csv"
    result = invoke(
        "synth", "--minutes", "3", "--users", "2", "--user", "4", "--boots", "2", "--no-still-pause", "-o", path
    )
    assert result.output.endswith("users 4 to 5\n")
    expected = synthesise(minutes=3, seed=1, users=2, first_user=4, boots=2, still_pause=False)
    assert read_log(path).samples.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--minutes", "0", "-o", "session.bin"),
        ("--minutes", "nan", "-o", "session.bin"),
        ("--minutes", "1e9", "-o", "session.bin"),
        ("--users", "0", "-o", "session.bin"),
        ("--user", "-1", "-o", "session.bin"),
        ("--boots", "0", "-o", "session.bin"),
        ("--seed", "-1", "-o", "session.bin"),
        ("--minutes", "0.1", "-o", "session.txt"),
        ("--minutes", "0.1", "-o", "session"),
        ("--minutes", "0.1", "-o", "missing/session.bin"),
        ("--minutes", "0.1", "-o", "."),
    ],
)
def test_mistake_is_one_line_and_exit_code_2_and_nothing_is_written(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("synth", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_needs_nothing_beyond_the_core_install() -> None:
    script = (
        "import sys; import models.cli.synth\n"
        "print([m for m in ('sklearn', 'scipy', 'matplotlib', 'onnx', 'joblib') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert ended.stdout == "[]\n"

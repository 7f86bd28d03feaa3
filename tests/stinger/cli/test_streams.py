"""What commands print controls no terminal, whatever its encoding; an output that is full, closed or missing is no traceback."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.factory import factory_model_bytes
from models.synthetic.session import synthesise
from stinger.logs.writing import write_log
from stinger.wording import printable
from tests.helpers.cli import STINGER
from tests.helpers.patience import PATIENCE_S
from tests.helpers.synthetic import synthetic_samples

FEW_PICTURES = ("--max-shots", "1", "--dpi", "40")
EVIL = b"bad\xff\x1b]0;owned\x07\xe2\x80\xaename.bin"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.bin"
    write_log(path, synthesise(minutes=0.2, seed=1))
    return path


def shell(line: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run ``line`` in a shell, where ``$S`` is the command."""
    variables = os.environ | {"S": shlex.join(STINGER)} | environ
    return subprocess.run(
        ["sh", "-c", line.replace("$S", variables["S"])],
        cwd=folder,
        env=variables,
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )


@given(st.text())
def test_a_document_of_json_stays_one_with_the_same_values(text: str) -> None:
    for document in (json.dumps([text]), json.dumps([text], ensure_ascii=False)):
        assert json.loads(printable(document, keep="\n\t", json=True)) == [text]


@given(st.text())
def test_a_printable_text_holds_only_characters_that_print_and_spaces(text: str) -> None:
    assert printable(printable(text).replace(" ", "")).isprintable() or any(c.isspace() for c in text)
    assert not {"\x1b", "\x9b", "\x07", "\r", "\n", "\u202e", "\x00"} & set(printable(text))
    assert "\n" not in printable(text)


def test_the_name_of_a_file_reaches_no_terminal_raw(log: Path) -> None:
    evil = os.fsencode(log.parent) + b"/" + EVIL
    log.rename(os.fsdecode(evil))
    for command in ("info", "models show", "synth --minutes 1 --seed 1 -o"):
        ended = subprocess.run(
            [*STINGER, *shlex.split(command), evil], capture_output=True, check=False, timeout=PATIENCE_S
        )
        shown = ended.stdout + ended.stderr
        assert b"Traceback" not in shown
        assert not {b"\x1b", b"\x07", b"\xff", "\u202e".encode()} & {shown[n : n + 1] for n in range(len(shown))}
        assert b"\\udcff" in shown
        assert re.search(rb"\\(x1b|u001b)\]0;owned", shown)


def test_a_log_whose_name_is_no_utf8_is_converted(log: Path) -> None:
    ended = subprocess.run(
        [*STINGER, "convert", log, os.fsencode(log.parent) + b"/\xff.csv"],
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert ended.returncode == 0, ended.stderr
    assert (log.parent / os.fsdecode(b"\xff.csv")).exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "command", ["info log.bin", "info log.bin --json", "--help", "run --help", "--version", "models list"]
)
def test_a_full_standard_output_is_one_line(log: Path, command: str) -> None:
    ended = shell(f"$S {command} > /dev/full", log.parent)
    assert ended.returncode == 2
    assert ended.stderr == b"Error: standard output cannot be written to: No space left on device\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_error_changes_nothing_else(log: Path) -> None:
    assert shell("$S info none.bin 2> /dev/full", log.parent).returncode == 2
    assert shell("$S info log.bin 2> /dev/full", log.parent).returncode == 0


def test_a_pipe_that_is_closed_is_silent(log: Path) -> None:
    ended = shell("{ $S info log.bin; echo $? >&2; } | true", log.parent)
    assert ended.stderr.strip() in (b"0", b"1")
    ended = shell("{ $S synth --minutes 1 --seed 1 -o x.bin; $S info x.bin; $S --help; } | head -c 1", log.parent)
    assert ended.stderr == b""


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_standard_files_are_replaced_and_no_file_of_ours_gets_their_numbers(log: Path, closed: str) -> None:
    assert shell(f"$S info log.bin {closed}", log.parent).returncode == 0
    assert shell(f"$S info none.bin {closed}", log.parent).returncode == 2
    assert shell(f"$S convert log.bin out.csv {closed}", log.parent).returncode == 0
    assert shell("$S convert log.bin as_usual.csv", log.parent).returncode == 0
    assert (log.parent / "out.csv").read_bytes() == (log.parent / "as_usual.csv").read_bytes()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8:strict"])
def test_a_character_that_the_terminal_lacks_is_escaped(log: Path, encoding: str) -> None:
    log.rename(log.parent / "☃.bin")
    ended = shell("$S info ☃.bin && $S info none☃.bin", log.parent, PYTHONIOENCODING=encoding)
    assert ended.returncode == 2, ended.stderr
    expected = "☃" if encoding.startswith("utf") else "\\u2603"
    assert ended.stdout.startswith(f"{expected}.bin\n".encode())
    assert ended.stderr == f"Error: none{expected}.bin: No such file or directory\n".encode()


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_without_a_locale_names_are_shown_all_the_same(log: Path, locale: dict[str, str]) -> None:
    log.rename(log.parent / "☃.bin")
    ended = shell("$S info ☃.bin", log.parent, **locale)
    assert ended.returncode == 0
    assert b"samples" in ended.stdout


def test_a_current_folder_that_was_deleted_is_no_traceback(log: Path) -> None:
    line = f"mkdir gone && cd gone && rmdir ../gone && $S info {log} && $S info log.bin"
    ended = shell(line, log.parent)
    assert ended.returncode == 2
    assert ended.stderr == b"Error: log.bin: No such file or directory\n"


@pytest.mark.skipif(
    not hasattr(os, "fsencode") or sys.platform == "darwin", reason="macOS refuses names that are no UTF-8"
)
def test_pictures_reports_and_data_sets_of_a_log_whose_name_is_no_utf8_and_looks_like_a_formula(tmp_path: Path) -> None:
    name = os.fsdecode(b"x$\xff\\frac$")
    write_log(tmp_path / f"{name}.bin", synthetic_samples(2000, 6))
    (tmp_path / f"{name}.onnx").write_bytes(factory_model_bytes())
    for arguments in (
        ("explore", f"{name}.bin", "--export-dataset", "--outdir", f"{name}-explored", *FEW_PICTURES),
        ("evaluate", f"{name}.bin", "--model-file", f"{name}.onnx", "--outdir", f"{name}-evaluated"),
        (
            *("plot", "--csv", f"{name}.bin", "--model", "logreg", "--features", "summary", *FEW_PICTURES),
            *("--train-dir", f"{name}-explored/train", "--outdir", f"{name}-plotted"),
        ),
    ):
        ended = subprocess.run(
            [*STINGER, *arguments], cwd=tmp_path, capture_output=True, check=False, timeout=3 * PATIENCE_S
        )
        assert ended.returncode == 0, ended.stderr.decode()
    assert (tmp_path / f"{name}-explored" / "dataset.png").exists()


def test_the_text_of_an_exception_reaches_no_terminal_raw() -> None:
    code = (
        "import click\nfrom stinger.cli.group import LazyGroup\n"
        "def fail(): raise RuntimeError('outside \\x1b[2J')\n"
        "group = LazyGroup('g', lazy={})\n"
        "group.get_command = lambda _ctx, _name: click.Command('fail', callback=fail)\n"
        "group.main(['fail'])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=PATIENCE_S)
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"Traceback (most recent call last):\n")
    assert ended.stderr.endswith(b"RuntimeError: outside \\x1b[2J\n")

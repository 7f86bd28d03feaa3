"""``stinger doctor`` as a process."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from service.cli.doctor import finding_lines
from service.doctor.finding import Finding, Verdict
from tests.helpers.brokers import Mosquitto, free_port
from tests.helpers.cli import STINGER, invoke
from tests.helpers.patience import PATIENCE_S


def test_a_problem_gives_exit_code_1_and_a_remedy(tmp_path: Path) -> None:
    result = invoke("doctor", "--data-dir", tmp_path, "--broker", f"mqtt://127.0.0.1:{free_port()}")
    assert result.exit_code == 1
    assert "problem  broker: " in result.output
    assert "         -> start the daemon" in result.output


def test_notes_alone_give_exit_code_0(tmp_path: Path, mosquitto: Mosquitto) -> None:
    result = invoke("doctor", "--data-dir", tmp_path, "--broker", f"mqtt://127.0.0.1:{mosquitto.port}")
    assert result.exit_code == 0, result.output
    assert "note     model: the factory model" in result.output
    assert not list(tmp_path.iterdir()) or {path.name for path in tmp_path.iterdir()} == {"mosquitto"}


def test_unusable_broker_url_is_one_line() -> None:
    result = invoke("doctor", "--broker", "nonsense")
    assert result.exit_code == 2
    assert result.output.count("\n") == 1


def test_long_texts_are_wrapped_below_their_beginning() -> None:
    found = Finding(Verdict.NOTE, "blaster", "none is plugged in", "plug it in with a cable that carries data")
    assert finding_lines(found, 34) == [
        "note     blaster: none is plugged",
        "         in",
        "         -> plug it in with a",
        "            cable that carries",
        "            data",
    ]


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_on_a_terminal_colours_are_no_text(tmp_path: Path) -> None:
    end, own = os.openpty()
    command = [*STINGER, "doctor", "--data-dir", str(tmp_path), "--broker", f"mqtt://127.0.0.1:{free_port()}"]
    with subprocess.Popen(command, stdout=own, stderr=own, env=os.environ | {"TERM": "xterm"}) as process:
        os.close(own)
        assert process.wait(PATIENCE_S) == 1
    shown = os.read(end, 65_536)
    os.close(end)
    assert b"\x1b[1;31mproblem" in shown
    assert b"\\u001b" not in shown

"""``stinger doctor`` as a process."""

from __future__ import annotations

from pathlib import Path

from click import unstyle

from service.cli.doctor import finding_lines
from service.doctor.finding import Finding, Verdict
from tests.helpers.brokers import Mosquitto, free_port
from tests.helpers.cli import invoke


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
    assert list(map(unstyle, finding_lines(found, 34))) == [
        "note     blaster: none is plugged",
        "         in",
        "         -> plug it in with a",
        "            cable that carries",
        "            data",
    ]

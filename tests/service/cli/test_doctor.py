"""``stinger doctor`` as a process."""

from __future__ import annotations

from pathlib import Path

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

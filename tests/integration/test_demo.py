from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from stinger.logs import read_log
from tests.helpers.cli import STINGER, run_stinger
from tests.helpers.patience import PATIENCE_S


@pytest.fixture(scope="module")
def shown() -> Iterator[list[str]]:
    """The lines up to the first shot that a demo shows, which runs meanwhile."""
    with subprocess.Popen([*STINGER, "demo"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines: list[str] = []
            for line in process.stdout:
                lines.append(line)
                if "demo: shot, wheels" in line:
                    break
            yield lines
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)


def test_demo_shows_shots_of_an_emulated_blaster_and_how_to_subscribe_to_them(shown: list[str]) -> None:
    assert "demo: shot, wheels" in shown[-1]
    assert any("demo: link streaming" in line for line in shown)
    assert any("mosquitto_sub -h 127.0.0.1 -p" in line for line in shown)


def test_demo_ends_after_its_seconds() -> None:
    ended = run_stinger("demo", "--seconds", "1")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_first_line_ends_with_the_address_of_a_page_that_shows_the_blaster(shown: list[str]) -> None:
    assert httpx.get(shown[0].split()[-1], timeout=PATIENCE_S).status_code == 200


def test_demo_has_a_second_blaster_with_a_log_to_personalise(shown: list[str], tmp_path: Path) -> None:
    assert "stinger personalise --port tcp://127.0.0.1:" in shown[2]
    log = tmp_path / "log.bin"
    fetched = run_stinger("pull", "--port", shown[2].split()[-1], "-o", log)
    assert fetched.returncode == 0, fetched.stderr
    assert read_log(log).samples.shape[0] > 50_000


def test_interrupted_demo_ends_at_once_without_errors_and_its_page_with_it() -> None:
    command = [*STINGER, "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        address = process.stdout.readline().split()[-1]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr.read() == ""
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


def test_watch_reports_a_missing_broker_and_keeps_trying() -> None:
    command = [*STINGER, "watch", "--broker", "mqtt://127.0.0.1:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    assert lines[0] == "mqtt://127.0.0.1:1\n"
    assert "mosquitto_sub -h 127.0.0.1 -p 1 " in lines[1]
    assert "no connection to the broker at mqtt://127.0.0.1:1" in lines[2]


def test_watch_refuses_an_invalid_device_name() -> None:
    ended = run_stinger("watch", "--device", "a/b")
    assert ended.returncode == 2
    assert "device name 'a/b'" in ended.stderr

"""The daemon starts with what works: damaged models, full and read-only disks, ports in use."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from models.factory import factory_model
from models.registry import Registry
from models.synthetic.session import synthesise
from service.cli.retry_later import EXIT_UNAVAILABLE
from stinger.logs.writing import write_log
from tests.helpers.cli import run_stinger
from tests.helpers.daemons import DaemonProcess, daemon
from tests.helpers.file_systems import ReadOnly, SmallDisk
from tests.helpers.patience import PATIENCE_S
from tests.helpers.recordings import write_old_recording

BROKER = ("--broker", "embedded:0")


def metrics_of(process: DaemonProcess) -> list[str]:
    address = process.wait_for(r"metrics: (http://\S+)/metrics")[1]
    with urllib.request.urlopen(f"{address}/metrics", timeout=PATIENCE_S) as answer:
        text: str = answer.read().decode()
    return text.splitlines()


@pytest.mark.parametrize("damage", ["champion", "model"])
def test_daemon_starts_with_a_damaged_champion_and_uses_it_once_it_is_repaired(tmp_path: Path, damage: str) -> None:
    registry = Registry(tmp_path / "data" / "registry")
    before, champion = (registry.add(name, factory_model().data, {}) for name in ("before", "champion"))
    for version in (before, champion):
        registry.promote(version.id, why="")
    path = registry.folder / "champion" if damage == "champion" else champion.model_path
    whole = path.read_bytes()
    path.write_bytes(b"")
    with daemon(tmp_path, *BROKER, "--metrics-port", "0") as process:
        process.wait_for("alarm_raised topic=model")
        process.wait_for(f"ready: .* model {(champion if damage == 'champion' else before).id}")
        assert "stinger_model_refused 1" in metrics_of(process)
        assert 'stinger_alarm{topic="model"} 1' in metrics_of(process)
        path.write_bytes(whole)
        deadline = time.monotonic() + PATIENCE_S
        while "stinger_model_refused 0" not in metrics_of(process):
            assert time.monotonic() < deadline, process.log_text()
            time.sleep(0.05)
        process.process.terminate()
        assert process.end() == 0, process.log_text()


def test_daemon_starts_without_metrics_and_serves_them_once_the_port_is_free(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with daemon(tmp_path, *BROKER, "--metrics-port", str(port)) as process:
            process.wait_for(f"alarm_raised topic=metrics_server .*127.0.0.1:{port}")
            process.port()
            other.close()
            process.wait_for("metrics_served")
            process.process.terminate()
            assert process.end() == 0, process.log_text()


def test_daemon_starts_on_a_full_disk_after_deleting_what_is_too_much(tmp_path: Path, small_disk_at: SmallDisk) -> None:
    data = tmp_path / "data"
    small_disk_at(data, 1000)
    old = [write_old_recording(data / "recordings", "a", days, samples=5000) for days in range(9, 2, -1)]
    newest = write_old_recording(data / "recordings", "a", 1)
    (data / "ballast").write_bytes(bytes(shutil.disk_usage(data).free))
    assert shutil.disk_usage(data).free == 0
    with daemon(tmp_path, *BROKER, "--keep-size", "400kB") as process:
        process.wait_for("recordings_pruned deleted=[34]")
        process.port()
        assert not old[0].exists()
        assert newest.exists()
        process.process.terminate()
        assert process.end() == 0, process.log_text()


def test_daemon_starts_in_a_read_only_data_folder_and_locks_it_once_it_can_be_written_to(
    tmp_path: Path, read_only: ReadOnly
) -> None:
    (tmp_path / "data").mkdir()
    with read_only(tmp_path / "data"), daemon(tmp_path, *BROKER, "--metrics-port", "0") as process:
        process.wait_for("alarm_raised topic=data_folder .*cannot be written to")
        process.wait_for("alarm_raised topic=outbox")
        process.port()
        assert 'stinger_alarm{topic="data_folder"} 1' in metrics_of(process)
        subprocess.run(["mount", "-o", "remount,bind,rw", tmp_path / "data"], check=True)
        deadline = time.monotonic() + PATIENCE_S
        while 'stinger_alarm{topic="data_folder"} 0' not in metrics_of(process):
            assert time.monotonic() < deadline, process.log_text()
            time.sleep(0.05)
        result = run_stinger("run", "--data-dir", str(tmp_path / "data"), *BROKER)
        assert result.returncode == EXIT_UNAVAILABLE
        process.process.terminate()
        assert process.end() == 0, process.log_text()


def test_daemon_that_finds_another_one_in_a_folder_it_could_not_lock_ends(tmp_path: Path, read_only: ReadOnly) -> None:
    (tmp_path / "data").mkdir()
    with read_only(tmp_path / "data"), daemon(tmp_path, *BROKER, name="late") as late:
        late.port()
        lock = FileLock(tmp_path / "data" / "daemon.lock")
        subprocess.run(["mount", "-o", "remount,bind,rw", tmp_path / "data"], check=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            pytest.skip("the daemon was faster")
        try:
            assert late.end() == EXIT_UNAVAILABLE, late.log_text()
        finally:
            lock.release()
        assert "Traceback" not in late.log_text()
        assert "in use by another daemon" in late.log_text().splitlines()[-1]


def test_daemon_starts_on_a_full_disk_without_limits_and_publishes(tmp_path: Path, small_disk_at: SmallDisk) -> None:
    small_disk_at(tmp_path / "data", 300)
    ballast = tmp_path / "data" / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(tmp_path / "data").free))
    write_log(tmp_path / "session.bin", synthesise(minutes=0.5, seed=3))
    with daemon(tmp_path, *BROKER, "--source", f"replay:{tmp_path / 'session.bin'}?speed=10") as process:
        process.wait_for("alarm_raised topic=outbox")
        process.wait_for("alarm_raised topic=recorder")
        process.port()
        assert process.end() == 0, process.log_text()
        assert "Traceback" not in process.log_text()


@pytest.mark.parametrize("content", [b"\xff" * 5000, b"SQLite format 3\x00" + bytes(5000), b""])
def test_daemon_starts_with_any_outbox_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "outbox.sqlite3").write_bytes(content)
    with daemon(tmp_path, *BROKER) as process:
        process.port()
        process.process.terminate()
        assert process.end() == 0, process.log_text()


def test_daemon_starts_although_its_outbox_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "data" / "outbox.sqlite3").mkdir(parents=True)
    with daemon(tmp_path, *BROKER) as process:
        process.wait_for("alarm_raised topic=outbox .*outbox.sqlite3")
        process.port()
        process.process.terminate()
        assert process.end() == 0, process.log_text()


def test_daemon_refused_for_another_reason_than_its_configuration_exits_with_a_code_that_systemd_retries(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        arguments = ("--data-dir", str(tmp_path), "--broker", f"embedded:{other.getsockname()[1]}")
        result = run_stinger("run", *arguments)
    assert result.returncode == EXIT_UNAVAILABLE
    assert result.stderr.splitlines()[-1].startswith("Error: embedded broker: port ")
    assert "Traceback" not in result.stderr


def test_service_is_started_again_after_every_exit_code_but_that_of_the_configuration() -> None:
    unit = (Path(__file__).parents[2] / "deploy" / "systemd" / "stinger.service").read_text()
    assert "\nRestart=on-failure\n" in unit
    assert "\nRestartPreventExitStatus=2\n" in unit

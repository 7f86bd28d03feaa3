"""Daemons that upload their recordings to an S3 server."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from models.factory import factory_model
from models.shared_registry import SharedRegistry, open_registry
from models.storage.folder import StorageFolder
from models.synthetic import synthesise
from stinger.logs import write_log
from stinger.storage_url import StorageUrl
from tests.helpers.cli import run_stinger
from tests.helpers.daemons import DaemonProcess, daemon
from tests.helpers.patience import PATIENCE_S
from tests.helpers.recordings import write_old_recording
from tests.helpers.s3_server import S3Server


def wait_until(condition: Callable[[], bool], process: DaemonProcess) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.process.poll() is None, process.log_text()
        assert time.monotonic() < deadline, process.log_text()
        time.sleep(0.05)


def local_recordings(tmp_path: Path) -> dict[str, bytes]:
    """Return the content of every recording in the data folder, by the name that it has in shared storage."""
    folder = tmp_path / "data" / "recordings"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.bin")}


def own_folder(tmp_path: Path, url: StorageUrl) -> StorageFolder:
    return StorageFolder(url / (tmp_path / "data" / "daemon-id").read_text().strip())


@pytest.mark.slow
def test_what_a_killed_daemon_had_not_uploaded_is_uploaded_by_the_next(
    s3: S3Server, s3_url: StorageUrl, tmp_path: Path
) -> None:
    for days in range(1, 31):
        write_old_recording(tmp_path / "data" / "recordings", f"d{days % 5}", days)
    options = ("--recordings", s3_url.text, "--broker", "embedded:0", "--model", "factory")
    bucket = s3_url.path.split("/")[0]
    with daemon(tmp_path, *options, name="first") as first:
        wait_until(lambda: len(s3.names(bucket)) >= 10, first)
        first.process.kill()
        first.process.wait()
    assert len(s3.names(bucket)) < 60
    with daemon(tmp_path, *options, name="second") as second:
        wait_until(lambda: len(s3.names(bucket)) == 60, second)
    folder = own_folder(tmp_path, s3_url)
    recordings = local_recordings(tmp_path)
    assert len(recordings) == 30
    assert all(folder.read(name) == content for name, content in recordings.items())


@pytest.mark.slow
def test_a_recording_is_uploaded_after_it_was_closed(s3: S3Server, s3_url: StorageUrl, tmp_path: Path) -> None:
    write_log(tmp_path / "session.bin", synthesise(minutes=0.2, seed=3))
    options = ("--recordings", s3_url.text, "--broker", "embedded:0", "--metrics-port", "0")
    bucket = s3_url.path.split("/")[0]
    with daemon(tmp_path, *options, "--source", f"replay:{tmp_path}/session.bin?speed=0", name="first") as first:
        first.end()
    assert s3.names(bucket) == []
    with daemon(tmp_path, *options, name="second") as second:
        wait_until(lambda: len(s3.names(bucket)) == 2, second)
        url = second.wait_for(r"metrics: (\S+)")[1]
        metrics = urllib.request.urlopen(url, timeout=PATIENCE_S).read().decode()
    assert "stinger_recordings_uploaded_total 1\n" in metrics
    assert "stinger_recordings_upload_waiting 0\n" in metrics


def test_a_daemon_starts_and_records_while_the_storage_is_away(
    s3_url: StorageUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    write_log(tmp_path / "session.bin", synthesise(minutes=0.2, seed=3))
    write_old_recording(tmp_path / "data" / "recordings", "old", 1)
    with daemon(
        tmp_path, "--recordings", s3_url.text, "--broker", "embedded:0",
        "--source", f"replay:{tmp_path}/session.bin?speed=1",
    ) as process:  # fmt: skip
        process.wait_for("recordings_not_uploaded")
        process.port()
        assert process.log_text().count("recordings_not_uploaded") == 1
    assert any(name.startswith("session") for name in local_recordings(tmp_path))


def test_a_scheme_without_its_library_ends_the_start_with_one_line(tmp_path: Path) -> None:
    with daemon(tmp_path, "--recordings", "nosuch://bucket/hall", "--broker", "embedded:0") as process:
        assert process.end() == 2
    assert process.log_text() == "Error: nosuch://bucket/hall: there is no storage of the kind nosuch://\n"


def test_without_shared_storage_its_libraries_are_not_loaded(tmp_path: Path) -> None:
    code = (
        "import asyncio, json, sys\n"
        "from contextlib import AsyncExitStack\n"
        "from pathlib import Path\n"
        "from service.config.loading import load_config\n"
        "from service.daemon.construction import build_parts\n"
        "from service.daemon.parts import Wrappers\n"
        "from service.ops.systemd import Notifier\n"
        "import service.cli.run, service.cli.retrain, service.cli.recordings, models.storage.logs\n"
        "async def main():\n"
        "    config = load_config(None, {}, {'data_dir': sys.argv[1], 'broker.url': 'mqtt://127.0.0.1:1'})\n"
        "    async with AsyncExitStack() as stack:\n"
        "        await build_parts(stack, config, Notifier({}), Wrappers())\n"
        "        print(json.dumps([m for m in ('fsspec', 's3fs', 'botocore', 'aiohttp') if m in sys.modules]))\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert json.loads(ended.stdout) == []


@pytest.mark.slow
def test_daemons_follow_the_champion_of_a_shared_registry_and_serve_on_without_it(
    s3_url: StorageUrl, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    registry = SharedRegistry(StorageFolder(s3_url), tmp_path / "mine")
    first, second = (registry.add(name, factory_model().data, {}).id for name in ("a", "b"))
    registry.promote(first, why="")
    options = ("--registry", s3_url.text, "--broker", "embedded:0")
    with daemon(tmp_path / "one", *options) as one, daemon(tmp_path / "two", *options) as two:
        for process in (one, two):
            process.wait_for(f"ready: .*model {first}")
        registry.promote(second, why="")
        for process in (one, two):
            process.wait_for(f"model_changed before={first} now={second}")
    listed = run_stinger("models", "list", "--registry", s3_url, "--data-dir", tmp_path / "third")
    assert listed.stdout == f"  {first}\n* {second}\n"
    unreachable = run_stinger(
        "models",
        "list",
        "--registry",
        s3_url,
        "--data-dir",
        tmp_path / "third",
        AWS_ENDPOINT_URL_S3="http://127.0.0.1:9",
    )
    assert unreachable.returncode == 2
    assert unreachable.stderr.startswith(f"Error: {s3_url}/changes: the storage cannot be reached: ")


def test_a_daemon_starts_with_the_last_champion_while_the_registry_is_away(
    s3_url: StorageUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = open_registry(tmp_path / "data", s3_url)
    champion = copy.add("a", factory_model().data, {}).id
    copy.promote(champion, why="")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with daemon(tmp_path, "--registry", s3_url.text, "--broker", "embedded:0") as process:
        process.wait_for(f"ready: .*model {champion}")
        process.wait_for("shared_registry_not_read")

"""Retraining as a separate process: beside a running daemon, killed, two at the same time, and on a cluster."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from models.registry import Registry
from models.shared_registry import open_current_registry, open_registry
from stinger.logs import read_log, write_log
from stinger.storage_url import parse_storage_url
from tests.helpers.brokers import Heard, Mosquitto, subscriber
from tests.helpers.cli import STINGER, run_program, run_stinger
from tests.helpers.daemons import daemon
from tests.helpers.patience import PATIENCE_S
from tests.helpers.retraining import blind_model, keep_recording, promote_blind
from tests.helpers.synthetic import synthetic_samples

pytestmark = pytest.mark.timeout(300)  # more than the processes below may take

QUICK = ("--candidate", "logreg:summary", "--min-shots", "20", "--max-false-per-minute", "4")
SLOW = ("--candidate", "hgb:flatten", "--min-shots", "20")
"""Takes about a minute."""


@contextmanager
def retraining(data: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [*STINGER, "retrain", "--data-dir", str(data), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def data_folder(folder: Path, *, shots: int = 15, sessions: int = 2) -> Path:
    data = folder / "data"
    promote_blind(data)
    for seed in range(sessions):
        keep_recording(data, synthetic_samples(400 * shots, shots, seed=seed), hours=seed)
    return data


def heard_models(heard: Heard) -> list[str]:
    return [json.loads(bytes(message.payload))["model"] for message in heard.on("stinger/live/model")]


def wait_for_workers(process: subprocess.Popen[str]) -> None:
    """Wait until the process has started its workers."""
    deadline = time.monotonic() + PATIENCE_S
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not children.read_text():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
async def test_running_daemon_switches_to_a_promoted_model_and_back_without_losing_a_sample(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    broker = ("--broker", f"mqtt://127.0.0.1:{mosquitto.port}")
    data = tmp_path / "data"
    old = promote_blind(data)
    sources: list[str] = []
    for seed in (1, 2):
        write_log(tmp_path / f"hand{seed}.bin", synthetic_samples(6000, 15, seed=seed))
        sources += ["--source", f"replay:{tmp_path / f'hand{seed}.bin'}?speed=0"]
    with daemon(tmp_path, *sources, *broker, name="first") as process:
        assert await asyncio.to_thread(process.end) == 0, process.log_text()
    live = synthetic_samples(3000, 5, seed=3)
    write_log(tmp_path / "live.bin", live)
    source = f"replay:{tmp_path / 'live.bin'}?speed=20&loop=forever"
    async with subscriber(mosquitto.port, "stinger/live/model") as heard:
        with daemon(tmp_path, "--source", source, *broker) as process:
            await heard.until(lambda: heard_models(heard) == [old])
            result = await asyncio.to_thread(run_stinger, "retrain", "--data-dir", str(data), "--json", *QUICK)
            assert result.returncode == 0, result.stderr
            values = json.loads(result.stdout)
            assert values["outcome"] == "promoted", values["why"]
            await heard.until(lambda: heard_models(heard) == [old, values["version"]])
            back = await asyncio.to_thread(run_stinger, "models", "rollback", "--data-dir", str(data))
            assert back.stdout == f"The champion is again {old}.\n"
            await heard.until(lambda: heard_models(heard) == [old, values["version"], old])
            process.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.end) == 0, process.log_text()
    parts = [read_log(path).samples for path in sorted((data / "recordings" / "live").glob("*.bin"))]
    assert [part.tobytes() for part in parts[:-1]] == [live.tobytes()] * (len(parts) - 1)
    assert parts[-1].tobytes() == live[: parts[-1].size].tobytes()
    actions = {entry["action"] for entry in Registry(data / "registry").journal()}
    assert actions == {"add", "promote", "retrain", "rollback"}


async def test_unusable_champion_is_an_alarm_and_a_metric_until_it_is_rolled_back(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    data = tmp_path / "data"
    old = promote_blind(data)
    registry = Registry(data / "registry")
    broken = registry.add("broken", b"not a model", {}).id
    arguments = ("--broker", f"mqtt://127.0.0.1:{mosquitto.port}", "--metrics-port", "0")
    async with subscriber(mosquitto.port, "stinger/daemon/status") as heard:
        with daemon(tmp_path, *arguments) as process:
            metrics = (await asyncio.to_thread(process.wait_for, r"metrics: (\S+)"))[1]
            await heard.until(lambda: alarms(heard)[-1:] == [""])
            registry.promote(broken, why="test")
            await heard.until(lambda: alarms(heard)[-1] != "")
            assert broken in alarms(heard)[-1]
            assert f"model {old}" in process.log_text()
            assert "stinger_model_refused 1" in await asyncio.to_thread(fetched, metrics)
            registry.roll_back(why="test")
            await heard.until(lambda: alarms(heard)[-1] == "")
            assert "stinger_model_refused 0" in await asyncio.to_thread(fetched, metrics)


def alarms(heard: Heard) -> list[str]:
    return [json.loads(bytes(message.payload))["alarm"] for message in heard.on("stinger/daemon/status")]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads from /proc whether it has workers")
def test_killed_retraining_leaves_nothing_incomplete_and_the_next_one_works(tmp_path: Path) -> None:
    data = data_folder(tmp_path)
    before = everything_in(data)
    with retraining(data, *SLOW) as process:
        wait_for_workers(process)
        process.kill()
        process.wait(PATIENCE_S)
    assert everything_in(data) - {"retraining.lock"} == before
    result = run_stinger("retrain", "--data-dir", str(data), *QUICK)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("promoted: ")


def everything_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.skipif(sys.platform != "linux", reason="reads from /proc whether it has workers")
def test_second_retraining_at_the_same_time_ends_with_an_error(tmp_path: Path) -> None:
    data = data_folder(tmp_path)
    with retraining(data, *SLOW) as first:
        wait_for_workers(first)
        second = run_stinger("retrain", "--data-dir", str(data), *QUICK)
        assert first.poll() is None
    assert second.returncode == 2
    assert second.stderr == f"Error: {data} is being retrained on by another process: wait for it to end\n"


@pytest.mark.skipif(sys.platform != "linux", reason="reads from /proc whether it has workers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_retraining_and_its_workers_at_once(tmp_path: Path, number: signal.Signals) -> None:
    data = data_folder(tmp_path)
    with retraining(data, *SLOW) as process:
        wait_for_workers(process)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert (out, err) == ("", "Interrupted: no incomplete model or report is left.\n")
    assert Registry(data / "registry").journal()[-1]["action"] == "promote"


def test_repeated_retraining_survives_an_error_and_ends_on_sigterm(tmp_path: Path) -> None:
    data = data_folder(tmp_path, sessions=1)
    log = tmp_path / "pulled.bin"
    with retraining(data, "--every", "1s", "--json", "--min-shots", "100", str(log)) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        assert "pulled.bin: No such file" in process.stderr.readline()
        write_log(log, synthetic_samples(4000, 10, seed=9))
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    assert [line["outcome"] for line in lines] == ["not yet", "unchanged"]


@pytest.mark.slow
def test_models_trained_on_shared_recordings_become_the_champion_of_the_shared_registry(tmp_path: Path) -> None:
    data = data_folder(tmp_path)
    (tmp_path / "hall").mkdir()
    (tmp_path / "models").mkdir()
    (data / "recordings").rename(tmp_path / "hall" / "north")
    url = parse_storage_url(f"file://{tmp_path}/models")
    shared = open_registry(tmp_path / "mine", url)
    shared.promote(shared.add("blind", blind_model(), {}).id, why="test")
    places = ("--data-dir", tmp_path / "empty", "--recordings", f"file://{tmp_path}/hall", "--registry", url)
    done = run_stinger("retrain", *places, *QUICK, XDG_CACHE_HOME=str(tmp_path / "cache"), timeout_s=3 * PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("promoted: "), done.stdout
    champion = open_current_registry(tmp_path / "third", url).champion()
    assert champion is not None
    assert f"The champion is now {champion.id}." in done.stdout
    assert all(entry["path"].startswith(f"file://{tmp_path}/hall/north/b1/") for entry in champion.report()["data"])


DASK_SCRIPT = """
import json, subprocess, sys
from distributed import Client, LocalCluster

def modules():
    return "replay.evaluation.held_out" in sys.modules

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        command = [sys.executable, "-m", "stinger", "retrain", "--dask", cluster.scheduler_address, *sys.argv[2:]]
        done = subprocess.run(command, timeout=300)
        with Client(cluster) as client, open(sys.argv[1], "w") as file:
            json.dump(list(client.run(modules).values()), file)
    sys.exit(done.returncode)
"""


@pytest.mark.slow
def test_cluster_gives_the_same_result_as_local_processes(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    data = data_folder(tmp_path)
    shutil.copytree(data, tmp_path / "copy")
    script, worked = tmp_path / "cluster.py", tmp_path / "worked.json"
    script.write_text(DASK_SCRIPT)
    # The cluster lives in a process of its own, so that nothing of it outlives this test.
    done = run_program(sys.executable, script, worked, "--data-dir", data, "--json", *QUICK, timeout_s=3 * PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert json.loads(worked.read_text()) == [True, True]
    here = run_stinger("retrain", "--data-dir", str(tmp_path / "copy"), "--json", *QUICK)
    assert judged(done.stdout) == judged(here.stdout)


def judged(output: str) -> dict[str, Any]:
    values = json.loads(output)
    return {name: values[name] for name in ("outcome", "basis", "contest", "verdict", "method")}


def fetched(address: str) -> str:
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
        text: str = answer.read().decode()
        return text

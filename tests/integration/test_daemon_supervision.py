"""A daemon whose thread for the disk fails is not ready until that thread works again."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from models.synthetic.session import synthesise
from stinger.logs.writing import write_log
from tests.helpers.daemons import daemon
from tests.helpers.patience import PATIENCE_S

# The unchanged daemon, except that SIGUSR1 makes its thread for the disk fail in each round, and SIGUSR2 ends that.
FAILS_AT_SIGUSR1 = """
import asyncio, signal
from contextlib import asynccontextmanager
from service.daemon.daemon import Daemon
from service.recording.disk_worker import DiskWorker
from stinger.cli import main

check_free_space = DiskWorker.check_free_space

def fail(worker):
    raise MemoryError("no memory for a round")

def set_check(function):
    DiskWorker.check_free_space = function

@asynccontextmanager
async def open_daemon(config, **options):
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, set_check, fail)
    loop.add_signal_handler(signal.SIGUSR2, set_check, check_free_space)
    async with Daemon.open(config, **options) as daemon:
        yield daemon

main(prog_name="stinger", obj=open_daemon)
"""


def readiness(address: str) -> str:
    """Return the answer of ``/readyz``."""
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=PATIENCE_S) as answer:
            text: str = answer.read().decode()
            return text
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()


def wait_until_ready(address: str, expected: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while expected not in readiness(address):
        assert time.monotonic() < deadline, readiness(address)
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="Unix's signals")
def test_daemon_is_not_ready_while_its_thread_for_the_disk_fails_and_loses_nothing(tmp_path: Path) -> None:
    write_log(tmp_path / "session.bin", synthesise(minutes=10, seed=3))
    (tmp_path / "c.toml").write_text("[recorder]\nsync_interval_s = 0.1\n")
    arguments = ("--config", str(tmp_path / "c.toml"), "--source", f"replay:{tmp_path / 'session.bin'}?speed=1")
    served = ("--broker", "embedded:0", "--metrics-port", "0")
    with daemon(tmp_path, *arguments, *served, program=[sys.executable, "-c", FAILS_AT_SIGUSR1]) as process:
        address = process.wait_for(r"metrics: (http://\S+)/metrics")[1]
        wait_until_ready(address, "ready\n")
        process.process.send_signal(signal.SIGUSR1)
        wait_until_ready(address, "MemoryError('no memory for a round')")
        process.wait_for("alarm_raised topic=disk_thread")
        process.process.send_signal(signal.SIGUSR2)
        wait_until_ready(address, "ready\n")
        process.process.terminate()
        assert process.end() == 0, process.log_text()
        assert "recording_thread_failed" in process.log_text()
    (sidecar,) = (tmp_path / "data" / "recordings" / "session").glob("*.json")
    described = json.loads(sidecar.read_text())
    assert described["closed"]
    assert described["samples"] * 17 == sidecar.with_suffix(".bin").stat().st_size

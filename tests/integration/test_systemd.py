"""The daemon as a systemd service: the messages that it sends to systemd's socket."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.helpers.patience import PATIENCE_S

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd's sockets are Unix's")

# The unchanged daemon, except that SIGUSR1 makes its event loop hang; its other threads keep running.
HANGS_AT_SIGUSR1 = """
import asyncio, signal, time
from contextlib import asynccontextmanager
from service.daemon.daemon import Daemon
from stinger.cli import main

@asynccontextmanager
async def open_daemon(config, **options):
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, time.sleep, 600)
    async with Daemon.open(config, **options) as daemon:
        yield daemon

main(prog_name="stinger", obj=open_daemon)
"""


@dataclass
class Manager:
    """systemd's side of a service: its socket, process and log."""

    socket: socket.socket
    process: subprocess.Popen[bytes]
    log: Path
    messages: list[str] = field(default_factory=list)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, (self.messages, self.log.read_text())
            self.receive(0.05)

    def receive(self, for_s: float) -> None:
        """Receive messages until ``for_s`` seconds have passed without one."""
        self.socket.settimeout(for_s)
        try:
            while True:
                self.messages.append(self.socket.recv(4096).decode())
        except TimeoutError:
            pass

    def count(self, message: str) -> int:
        return self.messages.count(message)


@contextmanager
def service(folder: Path, *arguments: str, watchdog_s: float) -> Iterator[Manager]:
    """Start a daemon as systemd does, with a watchdog."""
    address = folder / "notify"
    environ = {**os.environ, "NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": str(round(watchdog_s * 1e6))}
    command = [sys.executable, "-c", HANGS_AT_SIGUSR1, "run", "--data-dir", str(folder / "data")]
    log = folder / "log"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as bound, log.open("wb") as stderr:
        bound.bind(str(address))
        process = subprocess.Popen(
            [*command, "--broker", "embedded:0", *arguments], env=environ, stdout=subprocess.DEVNULL, stderr=stderr
        )
        try:
            yield Manager(bound, process, log)
        finally:
            process.kill()
            process.wait(PATIENCE_S)


def test_service_reports_ready_then_heartbeats_then_stopping(tmp_path: Path) -> None:
    with service(tmp_path, watchdog_s=0.3) as manager:
        manager.until(lambda: manager.count("WATCHDOG=1") >= 3)
        assert "ready: broker" in manager.log.read_text()
        manager.process.send_signal(signal.SIGTERM)
        assert manager.process.wait(PATIENCE_S) == 0
        manager.receive(0.1)
    sent = [message for message in manager.messages if not message.startswith("STATUS=")]
    assert sent[0] == "READY=1"
    assert sent[-1] == "STOPPING=1"
    assert set(sent[1:-1]) == {"WATCHDOG=1"}


def test_status_line_summarises_the_daemon(tmp_path: Path) -> None:
    with service(tmp_path, watchdog_s=60) as manager:
        wanted = "STATUS=0 of 0 devices streaming, model factory, broker connected"
        manager.until(lambda: wanted in manager.messages)


def test_service_reloads_on_sighup_and_is_ready_again(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("threshold = 0.4\n")
    with service(tmp_path, "--config", str(config), watchdog_s=60) as manager:
        manager.until(lambda: manager.count("READY=1") == 1)
        config.write_text("threshold = 7\n")
        manager.process.send_signal(signal.SIGHUP)
        manager.until(lambda: manager.count("READY=1") == 2)
        assert "configuration not reloaded" in manager.log.read_text()
        config.write_text("threshold = 0.6\n")
        manager.process.send_signal(signal.SIGHUP)
        manager.until(lambda: manager.count("READY=1") == 3)
        assert "configuration_reloaded changed=1 after_a_restart=none" in manager.log.read_text()
    sent = [message.partition("\n")[0] for message in manager.messages if not message.startswith("STATUS=")]
    assert [word for word in sent if word != "WATCHDOG=1"] == ["READY=1", "RELOADING=1"] * 2 + ["READY=1"]


def test_hanging_event_loop_stops_heartbeats_and_makes_the_daemon_unready(tmp_path: Path) -> None:
    with service(tmp_path, "--metrics-port", "0", watchdog_s=0.3) as manager:
        manager.until(lambda: manager.count("WATCHDOG=1") >= 2)
        found = re.search(r"metrics: (\S+)/metrics", manager.log.read_text())
        assert found is not None
        manager.process.send_signal(signal.SIGUSR1)
        manager.receive(0.5)  # heartbeats in flight
        before = manager.count("WATCHDOG=1")
        manager.receive(1.5)  # five times the limit
        assert manager.count("WATCHDOG=1") == before
        assert status_of(f"{found[1]}/healthz") == 200
        manager.until(lambda: status_of(f"{found[1]}/readyz") == 503)


def test_abort_by_the_watchdog_logs_where_the_daemon_hung(tmp_path: Path) -> None:
    with service(tmp_path, watchdog_s=60) as manager:
        manager.until(lambda: manager.count("READY=1") == 1)
        manager.process.send_signal(signal.SIGABRT)
        assert manager.process.wait(PATIENCE_S) == -signal.SIGABRT
        log = manager.log.read_text()
    assert "Fatal Python error: Aborted" in log
    assert "in run_forever" in log, "what its event loop was doing"


def status_of(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as response:
            return int(response.status)
    except HTTPError as error:
        with error:
            return error.code

"""The daemon as a service of systemd: what it says over the socket that it is given."""

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

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd's sockets are Unix's")

PATIENCE_S = 20.0
# The daemon as it is, but for a signal at which its event loop hangs; its other threads go on.
HANGS_AT_SIGUSR1 = """
import asyncio, signal, time
from typing import Any
from service.daemon.daemon import Daemon

whole = Daemon.run

async def run(self: Daemon, **options: Any) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, time.sleep, 600)
    await whole(self, **options)

Daemon.run = run
from stinger.cli import main
main(prog_name="stinger")
"""


@dataclass
class Manager:
    """What systemd is to a service."""

    socket: socket.socket
    process: subprocess.Popen[bytes]
    log: Path
    messages: list[str] = field(default_factory=list)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, (self.messages, self.log.read_text())
            self.hear(0.05)

    def hear(self, for_s: float) -> None:
        """Take in messages until ``for_s`` have passed without one."""
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
    """A daemon started as systemd would, with a watchdog."""
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


def test_service_is_ready_then_gets_on_then_stops(tmp_path: Path) -> None:
    with service(tmp_path, watchdog_s=0.3) as manager:
        manager.until(lambda: manager.count("WATCHDOG=1") >= 3)
        assert "ready: broker" in manager.log.read_text()
        manager.process.send_signal(signal.SIGTERM)
        assert manager.process.wait(PATIENCE_S) == 0
        manager.hear(0.1)
    spoken = [message for message in manager.messages if not message.startswith("STATUS=")]
    assert spoken[0] == "READY=1"
    assert spoken[-1] == "STOPPING=1"
    assert set(spoken[1:-1]) == {"WATCHDOG=1"}


def test_status_tells_how_it_does(tmp_path: Path) -> None:
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
    spoken = [message.partition("\n")[0] for message in manager.messages if not message.startswith("STATUS=")]
    assert [word for word in spoken if word != "WATCHDOG=1"] == ["READY=1", "RELOADING=1"] * 2 + ["READY=1"]


def test_watchdog_hears_nothing_from_a_loop_that_hangs_and_it_is_no_longer_ready(tmp_path: Path) -> None:
    with service(tmp_path, "--metrics-port", "0", watchdog_s=0.3) as manager:
        manager.until(lambda: manager.count("WATCHDOG=1") >= 2)
        found = re.search(r"metrics: (\S+)/metrics", manager.log.read_text())
        assert found is not None
        manager.process.send_signal(signal.SIGUSR1)
        manager.hear(0.5)  # what was under way
        before = manager.count("WATCHDOG=1")
        manager.hear(1.5)  # five times the limit
        assert manager.count("WATCHDOG=1") == before
        assert answer_of(f"{found[1]}/healthz") == 200
        manager.until(lambda: answer_of(f"{found[1]}/readyz") == 503)


def test_watchdogs_abort_has_the_log_say_where_the_daemon_hung(tmp_path: Path) -> None:
    with service(tmp_path, watchdog_s=60) as manager:
        manager.until(lambda: manager.count("READY=1") == 1)
        manager.process.send_signal(signal.SIGABRT)
        assert manager.process.wait(PATIENCE_S) == -signal.SIGABRT
        log = manager.log.read_text()
    assert "Fatal Python error: Aborted" in log
    assert "selectors.py" in log, "where its event loop waits"


def answer_of(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code

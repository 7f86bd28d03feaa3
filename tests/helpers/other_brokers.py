"""Brokers of other makers, as processes on the loopback: nats-server and rabbitmq-server with their MQTT parts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from tests.helpers.brokers import free_port
from tests.helpers.nats_servers import nats_program
from tests.helpers.patience import PATIENCE_S


class BrokerProcess(ABC):
    """A broker with MQTT on ``port`` of the loopback, and its data in ``folder``. Skips if it is not installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    @abstractmethod
    def command(self) -> tuple[list[str], dict[str, str]]:
        """Return the command that starts it, and variables for its environment."""

    def start(self) -> None:
        arguments, variables = self.command()
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                arguments, env={**os.environ, **variables}, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                text = (self.folder / "output").read_text(errors="replace")
                assert self._process.poll() is None, text
                assert time.monotonic() < deadline, text
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """Kill it, with all processes that it started."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE_S)
            self._process = None


class NatsServer(BrokerProcess):
    def command(self) -> tuple[list[str], dict[str, str]]:
        config = self.folder / "nats.conf"
        config.write_text(
            f'server_name: test\nlisten: 127.0.0.1:{free_port()}\njetstream {{ store_dir: "{self.folder}" }}\n'
            f'mqtt {{ listen: "127.0.0.1:{self.port}" }}\n'
        )
        return [nats_program(), "-c", str(config)], {}


class RabbitMq(BrokerProcess):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._names_port = free_port()

    def kill(self) -> None:
        running = self._process is not None
        super().kill()
        # Erlang's server of names detaches itself from the processes that need it, and refuses to end before it has
        # noticed that they are gone.
        command = ["epmd", "-port", str(self._names_port), "-kill"]
        deadline = time.monotonic() + PATIENCE_S
        while running and b"Killed" not in subprocess.run(command, check=False, capture_output=True).stdout:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def command(self) -> tuple[list[str], dict[str, str]]:
        program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one on PATH changes the user
        if not program.exists():
            pytest.skip("rabbitmq-server is not installed")
        folder = self.folder
        (folder / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{free_port()}\nmqtt.listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "mqtt.allow_anonymous = true\nlog.console = true\n"
        )
        return [str(program)], {
            "HOME": str(folder),
            "RABBITMQ_NODENAME": "test@localhost",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

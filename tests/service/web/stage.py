"""A whole installation for tests of the page: an emulated blaster, a daemon with its broker, and the page, each a process."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.helpers.brokers import free_port
from tests.helpers.cli import STINGER
from tests.helpers.patience import PATIENCE_S

PATIENCE_MS = 1000 * PATIENCE_S


@dataclass
class Stage:
    """What runs. ``folder`` has the logs, and in ``data`` the daemon's data."""

    folder: Path
    broker_port: int = field(default_factory=free_port)
    address: str = ""
    """Of the page."""
    seed: int = 1
    """Of the session that the blaster plays."""
    _blaster_port: int = field(default_factory=free_port)
    _processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start_blaster(self) -> None:
        self._start("emulate", "--tcp", f"127.0.0.1:{self._blaster_port}", "--seed", self.seed)
        self._wait_for("emulate", r"device 0")

    def start_daemon(self, model: str = "factory") -> None:
        source = f"tcp://127.0.0.1:{self._blaster_port}?device=b1"
        broker = f"embedded:{self.broker_port}"
        self._start(
            "run", "--data-dir", self.data, "--source", source, "--broker", broker, "--scores", "--model", model
        )
        self._wait_for("run", r"ready: broker")

    def start_page(self, *arguments: object) -> None:
        broker = f"mqtt://127.0.0.1:{self.broker_port}"
        self._start("web", "--data-dir", self.data, "--broker", broker, "--port", 0, *arguments)
        self.address = self._wait_for("web", r"page: (\S+)/")[1]

    def kill(self, name: str) -> None:
        """Kill the process of the command ``name``."""
        process = self._processes.pop(name)
        process.kill()
        process.wait(PATIENCE_S)

    def stop(self, name: str) -> tuple[int, str]:
        """Interrupt the process of the command ``name``; return its exit code and what it printed."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGINT)
        return process.wait(PATIENCE_S), self.log(name)

    def close(self) -> None:
        for name in list(self._processes):
            self.kill(name)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def publish(self, topic: str, content: Mapping[str, Any], *, retain: bool = False) -> None:
        """Publish to the daemon's broker, as any program with its password may."""
        with self.client() as client:
            client.publish(topic, json.dumps(content), qos=1, retain=retain).wait_for_publish(PATIENCE_S)

    def pid(self, name: str) -> int:
        """Return the process id of the command ``name``."""
        return self._processes[name].pid

    def retained(self, topic: str, wanted: Callable[[Any], bool]) -> Any:
        """Wait until the content of ``topic`` is as ``wanted``, and return it."""
        found: list[Any] = []
        arrived = threading.Event()

        def take(payload: bytes) -> None:
            content = json.loads(payload)
            if wanted(content):
                found.append(content)
                arrived.set()

        with self.listening(topic, take):
            assert arrived.wait(PATIENCE_S), f"{topic} never had the content that was waited for"
        return found[0]

    @contextmanager
    def listening(self, topic: str, take: Callable[[bytes], None]) -> Iterator[None]:
        """Pass each payload on ``topic`` to ``take``, in another thread, while the block runs."""

        def take_message(_client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
            # The embedded broker may send retained messages of other topics as well.
            if message.topic == topic:
                take(bytes(message.payload))

        with self.client() as client:
            client.on_message = take_message
            client.subscribe(topic, 1)
            yield

    @contextmanager
    def client(self) -> Iterator[paho.Client]:
        """Yield a client that is connected to the daemon's broker."""
        password = (self.data / "broker-password").read_text().splitlines()[0]
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set("stinger", password)
        connected = threading.Event()
        client.on_connect = lambda *_: connected.set()
        client.connect("127.0.0.1", self.broker_port)
        client.loop_start()
        try:
            assert connected.wait(PATIENCE_S)
            yield client
        finally:
            client.disconnect()
            client.loop_stop()

    def _start(self, *arguments: object) -> None:
        name = str(arguments[0])
        with (self.folder / f"{name}.log").open("w") as log:
            command = [*STINGER, *map(str, arguments)]
            self._processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True
            )

    def _wait_for(self, name: str, pattern: str) -> re.Match[str]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            found = re.search(pattern, self.log(name))
            if found is not None:
                return found
            assert self._processes[name].poll() is None, self.log(name)
            assert time.monotonic() < deadline, self.log(name)
            time.sleep(0.02)

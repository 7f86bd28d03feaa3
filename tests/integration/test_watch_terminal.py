"""``stinger watch`` on a terminal, beside a program that publishes what no daemon would."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.brokers import Mosquitto
from tests.helpers.cli import STINGER
from tests.helpers.patience import PATIENCE_S, mqtt_client

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")

EVIL = "\x1b]0;owned\x07\x9b31m[red]\r\n\u202e[/]"
OF_RICH = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def messages() -> Iterator[tuple[str, bytes]]:
    """Yield messages that are malformed, or try to control the terminal."""
    values: list[Any] = [EVIL, 1e999, [], {}, None, True, -1, 10**400, "x" * 100_000, [[[]]]]
    for value in values:
        content = dict.fromkeys(("state", "reason", "time", "accepted", "lead_ms", "duration_ms"), value)
        content |= dict.fromkeys(
            ("version", "alarm", "probability", "probabilities", "rate_hz", "latency_p50_ms"), value
        )
        for topic in ("a/shot", "a/link", "a/spinup", "a/false_spinup", "a/telemetry", "a/scores", "daemon/status"):
            yield f"stinger/{topic}", json.dumps(content).encode()
    for payload in (b"", b"\xff", b"[" * 100_000, b"{", b"null", b'"x"', b"NaN"):
        yield "stinger/a/shot", payload


@pytest.mark.parametrize("terminal", [True, False])
class Screen:
    """Everything that is shown on one end of a pseudo-terminal or pipe, collected by a thread until the other end is closed."""

    def __init__(self, end: int) -> None:
        self.shown = bytearray()
        self._end = end
        self._thread = threading.Thread(target=self._collect)
        self._thread.start()

    def close(self) -> bytes:
        self._thread.join()
        os.close(self._end)
        return bytes(self.shown)

    def _collect(self) -> None:
        with suppress(OSError):  # of a terminal whose other end is closed
            while part := os.read(self._end, 65536):
                self.shown += part


@pytest.mark.parametrize("terminal", [True, False])
async def test_malformed_and_hostile_messages_neither_end_it_nor_reach_the_terminal(
    tmp_path: Path, mosquitto: Mosquitto, terminal: bool
) -> None:
    end, own = os.openpty() if terminal else os.pipe()
    environ = os.environ | {"STINGER_DATA_DIR": str(tmp_path), "TERM": "xterm-256color", "COLUMNS": "100"}
    command = [*STINGER, "watch", "--broker", f"mqtt://127.0.0.1:{mosquitto.port}"]
    watch = subprocess.Popen(command, stdout=own, stderr=own, env=environ)  # noqa: ASYNC220 - starting it takes no time
    os.close(own)
    screen = Screen(end)
    try:
        async with mqtt_client(mosquitto.port) as client, asyncio.timeout(PATIENCE_S):
            while b"last words" not in screen.shown or b"[red]" not in screen.shown:
                assert watch.poll() is None, screen.shown[-3000:]
                for topic, payload in messages():
                    await client.publish(topic, payload, 1)
                link = {"state": "lost", "reason": f"last words {time.monotonic_ns()}"}
                await client.publish("stinger/a/link", json.dumps(link).encode(), 1)
                await asyncio.sleep(0.3)
        watch.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(watch.wait, PATIENCE_S) == 0
    finally:
        watch.kill()
        watch.wait()
        shown = OF_RICH.sub(b"", screen.close())
    assert not set(b"\x1b\x07") & set(shown)
    assert "\x9b".encode() not in shown
    assert "\u202e".encode() not in shown
    assert b"Traceback" not in shown

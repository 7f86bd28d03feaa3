"""A real daemon with its embedded broker: who may use it, and what clients that misbehave can do to the daemon."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import aiomqtt
import pytest

from tests.helpers.brokers import Heard
from tests.helpers.cli import STINGER
from tests.helpers.daemons import DaemonProcess, daemon
from tests.helpers.patience import PATIENCE_S, mqtt_client
from tests.service.mqtt.test_embedded_limits import connect_packet

pytest.importorskip("amqtt", reason="the embedded broker is an optional dependency")

EMBEDDED = ("--broker", "embedded:0", "--model", "factory")

# The unchanged daemon, except that SIGUSR1 cancels a task of the embedded broker.
FAILS_AT_SIGUSR1 = """
import asyncio, signal
from contextlib import asynccontextmanager
from service.daemon.daemon import Daemon
from stinger.cli import main

@asynccontextmanager
async def open_daemon(config, **options):
    async with Daemon.open(config, **options) as daemon:
        def fail():
            daemon._parts.embedded_broker._broker._broadcast_task.cancel()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, fail)
        yield daemon

main(prog_name="stinger", obj=open_daemon)
"""


def credentials(process: DaemonProcess) -> tuple[int, str, str]:
    """Wait until the daemon is ready; return port, user and password of its broker."""
    found = process.wait_for(r"ready: broker mqtt://127\.0\.0\.1:(\d+) \(user (\S+), password (\S+)\), model factory")
    return int(found[1]), found[2], found[3]


def most_memory_kb(process: DaemonProcess) -> int:
    """Return the most memory that the daemon has had so far."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


async def test_the_broker_serves_those_who_know_the_password_of_the_ready_line(tmp_path: Path) -> None:
    with daemon(tmp_path, *EMBEDDED) as process:
        port, user, password = await asyncio.to_thread(credentials, process)
        with pytest.raises(aiomqtt.MqttError, match="Not authorized"):
            async with mqtt_client(port):
                pass
        async with mqtt_client(port, username=user, password=password):
            pass


def test_the_password_is_kept_where_only_its_owner_can_read_it_and_used_again(tmp_path: Path) -> None:
    path = tmp_path / "data" / "broker-password"
    with daemon(tmp_path, *EMBEDDED) as process:
        first = credentials(process)
        assert path.read_text().splitlines() == [first[2], str(first[0])]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with daemon(tmp_path, *EMBEDDED, name="again") as process:
        assert credentials(process)[1:] == first[1:]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\n\n"])
def test_a_password_that_is_damaged_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "broker-password").write_bytes(content)
    with daemon(tmp_path, *EMBEDDED) as process:
        assert len(credentials(process)[2]) == 24


def test_watch_on_the_same_machine_needs_no_password(tmp_path: Path) -> None:
    with daemon(tmp_path, *EMBEDDED) as process:
        port = credentials(process)[0]
        command = [*STINGER, "watch", "--broker", f"mqtt://localhost:{port}"]
        environ = os.environ | {"STINGER_DATA_DIR": str(tmp_path / "data")}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as watch:
            assert watch.stdout is not None
            lines = [watch.stdout.readline() for _ in range(3)]
            watch.send_signal(signal.SIGINT)
            assert watch.wait(PATIENCE_S) == 0
    assert lines[2].startswith("daemon online")


def test_watch_names_the_option_for_another_data_folder(tmp_path: Path) -> None:
    with daemon(tmp_path, *EMBEDDED) as process:
        port = credentials(process)[0]
        command = [*STINGER, "watch", "--broker", f"mqtt://127.0.0.1:{port}", "--data-dir", str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
            assert watch.stdout is not None
            for line in watch.stdout:
                if "Not authorized" in line:
                    break
            watch.send_signal(signal.SIGINT)
            assert watch.wait(PATIENCE_S) == 0
    assert "--data-dir" in line


async def test_open_to_every_user_if_that_is_asked_for(tmp_path: Path) -> None:
    with daemon(tmp_path, *EMBEDDED, "--broker-open") as process:
        async with mqtt_client(await asyncio.to_thread(process.port)):
            pass
        assert "password" not in process.log_text()
    assert not (tmp_path / "data" / "broker-password").exists()


async def test_sigterm_ends_the_daemon_while_a_subscriber_does_not_read(tmp_path: Path) -> None:
    with daemon(tmp_path, *EMBEDDED, "--broker-open") as process:
        port = await asyncio.to_thread(process.port)
        with socket.create_connection(("127.0.0.1", port)) as stalled:
            stalled.sendall(connect_packet(b"stalled") + b"\x82\x06\x00\x01\x00\x01#\x01")
            async with mqtt_client(port) as client:
                for _ in range(60):
                    await client.publish("x", bytes(200_000), 1)
                process.process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(process.end) == 0, process.log_text()
    assert "Traceback" not in process.log_text()


async def test_silent_connections_and_great_messages_leave_the_daemon_connected(tmp_path: Path) -> None:
    with daemon(tmp_path, *EMBEDDED) as process:
        port, user, password = await asyncio.to_thread(credentials, process)
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
        for n in range(3):
            with pytest.raises(aiomqtt.MqttError):
                async with mqtt_client(port, username=user, password=password) as client:
                    await client.publish(f"great/{n}", bytes(100_000_000), 1, retain=True)
        async with mqtt_client(port, username=user, password=password) as client:
            heard = Heard()
            await client.subscribe("#", 1)
            async with asyncio.timeout(PATIENCE_S):
                async for message in client.messages:
                    heard.messages.append(message)
                    if heard.on("stinger/daemon/status"):
                        break
        for connection in silent:
            connection.close()
        assert most_memory_kb(process) < 250_000
    assert not [message for message in heard.messages if message.topic.value.startswith("great/")]


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs SIGUSR1")
async def test_a_broker_that_fails_is_an_alarm_and_started_again(tmp_path: Path) -> None:
    program = (sys.executable, "-c", FAILS_AT_SIGUSR1)
    with daemon(tmp_path, *EMBEDDED, "--broker-open", program=program) as process:
        port = await asyncio.to_thread(process.port)
        process.process.send_signal(signal.SIGUSR1)
        await asyncio.to_thread(process.wait_for, r"alarm_raised topic=embedded_broker")
        await asyncio.to_thread(process.wait_for, r"embedded_broker_restarted(.|\n)*broker_connected")
        async with mqtt_client(port) as client:
            await client.subscribe("stinger/daemon/status", 1)
            async with asyncio.timeout(PATIENCE_S):
                assert b'"online"' in bytes((await anext(client.messages)).payload)
        process.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.end) == 0

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from service.ops.systemd import Notifier
from tests.helpers.patience import PATIENCE_S

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd's sockets are Unix's")


@contextmanager
def manager_at(address: str) -> Iterator[socket.socket]:
    """Open systemd's end of the socket."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(address)
        manager.settimeout(10)
        yield manager


def receive(manager: socket.socket) -> str:
    return manager.recv(4096).decode()


def test_path_names_a_socket(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with manager_at(address) as manager, closing(Notifier({"NOTIFY_SOCKET": address})) as notifier:
        notifier.ready()
        assert receive(manager) == "READY=1"


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_at_sign_names_an_abstract_socket() -> None:
    name = f"stinger-test-{os.getpid()}"
    with manager_at(f"\0{name}") as manager, closing(Notifier({"NOTIFY_SOCKET": f"@{name}"})) as notifier:
        notifier.stopping()
        assert receive(manager) == "STOPPING=1"


def test_reloading_carries_the_time_that_systemd_compares(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with manager_at(address) as manager, closing(Notifier({"NOTIFY_SOCKET": address})) as notifier:
        notifier.reloading()
        state, time = receive(manager).split("\n")
    assert state == "RELOADING=1"
    assert time.startswith("MONOTONIC_USEC=")
    assert int(time.partition("=")[2]) > 0


def test_status_is_one_line_and_sent_only_when_it_changes(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with manager_at(address) as manager, closing(Notifier({"NOTIFY_SOCKET": address})) as notifier:
        for text in ("fine\nREADY=1", "fine\nREADY=1", "better"):
            notifier.status(text)
        assert [receive(manager), receive(manager)] == ["STATUS=fine READY=1", "STATUS=better"]


@pytest.mark.parametrize("name", ["", "relative", "vsock:2:1234"])
def test_without_a_socket_nothing_is_sent(name: str) -> None:
    with closing(Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000"})) as notifier:
        notifier.ready()
        assert notifier.watchdog_s is None


def test_unread_socket_neither_blocks_nor_raises_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = str(tmp_path / "notify")
    with manager_at(address), closing(Notifier({"NOTIFY_SOCKET": address})) as notifier:
        for number in range(5000):
            notifier.status(f"{number}")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_missing_socket_does_not_raise(tmp_path: Path) -> None:
    with closing(Notifier({"NOTIFY_SOCKET": str(tmp_path / "none")})) as notifier:
        notifier.ready()
    notifier.ready()


@pytest.mark.parametrize(
    ("environ", "expected_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_watchdog_is_enabled_if_it_is_meant_for_this_process(
    tmp_path: Path, environ: dict[str, str], expected_s: float | None
) -> None:
    with closing(Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), **environ})) as notifier:
        assert notifier.watchdog_s == expected_s


async def test_no_heartbeat_is_sent_without_progress(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    answers = iter([True, False, False, True])
    calls: list[bool] = []

    def makes_progress() -> bool:
        calls.append(next(answers, False))
        return calls[-1]

    with (
        manager_at(address) as manager,
        closing(Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000"})) as notifier,
    ):
        task = asyncio.create_task(notifier.run_watchdog(makes_progress))
        async with asyncio.timeout(PATIENCE_S):
            while len(calls) < 6:
                await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.wait([task])
        notifier.stopping()
        assert [receive(manager) for _ in range(3)] == ["WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


async def test_without_a_watchdog_it_returns_at_once(tmp_path: Path) -> None:
    with closing(Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})) as notifier:
        await asyncio.wait_for(notifier.run_watchdog(lambda: True), 10)

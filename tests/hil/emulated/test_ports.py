from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from hil.emulated import EmulatedDevice, PtyPort, TcpPort
from stinger.errors import FileError, InputError
from tests.helpers.patience import PATIENCE_S
from tests.hil.emulating import SESSION, emulated, tcp_host

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs ptys, which only POSIX has")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def target(link: Path) -> str:
    return str(link.readlink())


async def test_link_points_to_the_pty_and_is_removed_at_the_end(tmp_path: Path) -> None:
    link = tmp_path / "blaster"
    link.symlink_to("/nowhere")
    async with emulated(SESSION, port=PtyPort(link)) as device:
        assert device.port.address == str(link)
        assert target(link).startswith("/dev/")
        assert names(tmp_path) == ["blaster"]
    assert names(tmp_path) == []


async def test_link_never_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ExceptionGroup) as failed:
        async with asyncio.timeout(PATIENCE_S), emulated(SESSION, port=PtyPort(path)):
            pass
    assert failed.group_contains(FileError, match="exists and is not a symbolic link")
    assert path.read_text() == "data"


async def test_second_host_on_a_tcp_port_is_disconnected() -> None:
    def host(device: EmulatedDevice) -> None:
        with tcp_host(device.port.address) as first:
            first.ask(b"MLINFO")
            with tcp_host(device.port.address) as second:
                assert second.some(2) == b""
            assert first.ask(b"MLINFO").startswith(b"[ml]")

    async with emulated(SESSION, port=TcpPort()) as device:
        await asyncio.to_thread(host, device)


async def test_tcp_port_in_use_is_reported() -> None:
    async with emulated(SESSION, port=TcpPort()) as device:
        number = int(device.port.address.rpartition(":")[2])
        with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{number}"):
            TcpPort("127.0.0.1", number).plug_in(device)

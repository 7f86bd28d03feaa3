"""Starting the broker inside the daemon: what may go wrong ends the start with the right error, or not at all."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from service.config.broker_account import PASSWORD_FILE, local_account
from service.config.broker_address import BrokerAddress, parse_broker_url
from service.config.config import BrokerConfig, Config
from service.daemon.broker_start import start_broker
from stinger.errors import UnavailableError


def config_of(data_dir: Path, port: int = 0, *, is_open: bool = False) -> Config:
    return Config(data_dir=data_dir, broker=BrokerConfig(url=parse_broker_url(f"embedded:{port}"), open=is_open))


async def started(config: Config) -> BrokerAddress:
    """Start the broker and stop it; return its address."""
    async with AsyncExitStack() as stack:
        address, broker = await start_broker(stack, config)
        assert broker is not None
        assert broker.port == address.port
        return address


async def test_port_in_use_is_an_error_that_may_pass(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(UnavailableError, match="use"):
        await started(config_of(tmp_path, other.getsockname()[1]))
    assert not (tmp_path / PASSWORD_FILE).exists()


async def test_password_stays_the_same_at_the_next_start(tmp_path: Path) -> None:
    first, second = await started(config_of(tmp_path)), await started(config_of(tmp_path))
    assert first.password
    assert second.password == first.password
    account = local_account(tmp_path, second.port)
    assert account is not None
    assert account.matches(second.user, second.password)


async def test_damaged_password_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / PASSWORD_FILE).write_bytes(b"\xff\xfe\x00" * 10)
    address = await started(config_of(tmp_path))
    account = local_account(tmp_path, address.port)
    assert account is not None
    assert account.matches(address.user, address.password)


async def test_broker_starts_although_its_password_cannot_be_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / PASSWORD_FILE).mkdir()
    address = await started(config_of(tmp_path))
    assert address.password
    assert "broker_password_not_saved" in caplog.text


async def test_open_broker_has_no_password(tmp_path: Path) -> None:
    assert (await started(config_of(tmp_path, is_open=True))).password is None
    assert not (tmp_path / PASSWORD_FILE).exists()


async def test_password_is_not_given_to_a_program_at_another_port(tmp_path: Path) -> None:
    address = await started(config_of(tmp_path))
    assert local_account(tmp_path, address.port + 1) is None

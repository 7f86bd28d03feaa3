"""Starts the broker inside the daemon, if the configuration asks for it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from service.base.logs import get_logger
from service.config.broker_account import prepare_account, save_account
from service.config.broker_address import BrokerAddress
from service.config.config import Config
from service.mqtt.embedded_broker import EmbeddedBroker
from stinger.errors import InputError, UnavailableError

_LOG: Final = get_logger(__name__)


async def start_broker(stack: AsyncExitStack, config: Config) -> tuple[BrokerAddress, EmbeddedBroker | None]:
    """Return the address of the broker to use, and the embedded one, if that is it; ``stack`` stops it.

    Raises :class:`UnavailableError` if its port is in use, and :class:`InputError` if it cannot start for another
    reason.
    """
    address = config.broker.address()
    if not address.embedded:
        return address, None
    account = None if config.broker.open else prepare_account(config.data_dir)
    try:
        broker = await stack.enter_async_context(EmbeddedBroker(address.port, account=account))
    except InputError as error:
        if isinstance(error.__cause__, OSError):  # such as a port in use
            raise UnavailableError(str(error)) from error
        raise
    if account is None:
        return replace(address, port=broker.port), broker
    try:
        save_account(config.data_dir, account, broker.port)
    except InputError as error:
        _LOG.warning("broker_password_not_saved", reason=str(error))
    return replace(address, port=broker.port, user=account.user, password=account.password), broker

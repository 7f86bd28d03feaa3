"""Broker addresses for tests."""

from __future__ import annotations

from typing import Any

from service.config.broker_address import BrokerAddress, parse_broker_url
from service.config.config import BrokerConfig


def address_of(url: str, **settings: Any) -> BrokerAddress:
    """Return the address of the broker at ``url``, with the other ``settings`` of the table ``[broker]``."""
    return BrokerConfig(url=parse_broker_url(url), **settings).address()

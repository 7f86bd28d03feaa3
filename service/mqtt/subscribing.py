"""Subscribes to topics of a broker that may refuse some of them, as its access list says."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from service.base.logs import get_logger
from service.mqtt.connection import Connection, MqttError, QoS
from service.mqtt.reason_codes import REFUSED, suback_text

_LOG: Final = get_logger(__name__)


async def subscribe_to_all(connection: Connection, filters: Sequence[tuple[str, QoS]]) -> None:
    """Subscribe to ``filters``.

    Raises :class:`MqttError` if the broker refuses one of them, the connection is lost, or there is no answer in time.
    """
    for code in await connection.subscribe(filters):
        if code >= REFUSED:
            raise MqttError(f"the broker refuses a subscription: {suback_text(code)}", code=code)


async def subscribe_or_warn(
    connection: Connection, filters: Sequence[tuple[str, QoS]], refused: set[tuple[str, int]]
) -> None:
    """Subscribe to ``filters``, and log each that the broker refuses: a warning once, at later connections debug.

    ``refused`` holds the filters that were logged, each with the broker's code, and is kept between connections.

    Raises :class:`MqttError` if the connection is lost or there is no answer in time.
    """
    codes = await connection.subscribe(filters)
    for (name, _), code in zip(filters, codes, strict=True):
        if code >= REFUSED:
            level = logging.DEBUG if (name, code) in refused else logging.WARNING
            refused.add((name, code))
            _LOG.log(level, "broker_refused_subscription", topic=name, reason=suback_text(code))

"""Subscribes to topics of a broker that may refuse some of them, as its access list says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from service.base.logs import get_logger
from service.mqtt.connection import Connection, QoS
from service.mqtt.reason_codes import REFUSED, suback_text

_LOG: Final = get_logger(__name__)


async def subscribe_or_warn(connection: Connection, filters: Sequence[tuple[str, QoS]]) -> None:
    """Subscribe to ``filters``, and log a warning for each that the broker refuses.

    Raises :class:`~service.mqtt.connection.MqttError` if the connection is lost or there is no answer in time.
    """
    codes = await connection.subscribe(filters)
    for (name, _), code in zip(filters, codes, strict=True):
        if code >= REFUSED:
            _LOG.warning("broker_refused_subscription", topic=name, reason=suback_text(code))

"""Subscribes to topics of a broker that may refuse some of them.

Some brokers do not answer instead, or end the connection because of one topic.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from service.base.logs import get_logger
from service.mqtt.connection import Connection
from service.mqtt.connection_settings import QoS
from service.mqtt.errors import MessageTooLongError, MqttError, NoAnswerError
from service.mqtt.reason_codes import NOT_ABOUT_A_MESSAGE, REFUSED, suback_text

_LOG: Final = get_logger(__name__)
_ENDINGS: Final = 3
"""After so many connections that ended when it was sent alone, a subscription is left out."""


async def subscribe_to_all(connection: Connection, filters: Sequence[tuple[str, QoS]]) -> None:
    """Subscribe to ``filters``.

    Raises :class:`MqttError` if the broker refuses one of them or takes no packets of that length, the connection is
    lost, or there is no answer in time.
    """
    try:
        codes = await connection.subscribe(filters)
    except MessageTooLongError as error:
        raise MqttError(f"a subscription is too long for the broker: {error}") from error
    for code in codes:
        if code >= REFUSED:
            raise MqttError(f"the broker refuses a subscription: {suback_text(code)}", code=code)


class PatientSubscriber:
    """Subscribes on one connection after another, and does without what a broker does not take.

    A filter that is refused or too long for the broker is logged: a warning once, at later connections debug. So is a
    broker that does not answer on two connections in a row: then the connection is used without waiting for the answer.
    After a connection that the broker ended instead of answering, each filter is sent alone; one with which three
    connections ended is left out.
    """

    def __init__(self) -> None:
        self._logged: set[tuple[str, str]] = set()
        self._unanswered = False
        self._alone = False
        self._endings: dict[str, int] = {}

    async def subscribe(self, connection: Connection, filters: Sequence[tuple[str, QoS]]) -> None:
        """Subscribe to ``filters``. Raises :class:`MqttError` if the connection is lost, or not answered for the first time."""
        wanted = [one for one in filters if self._endings.get(one[0], 0) < _ENDINGS]
        if self._alone:
            for one in wanted:
                await self._send(connection, [one])
        elif wanted:
            try:
                await self._send(connection, wanted)
            except MessageTooLongError:
                for one in wanted:
                    await self._send(connection, [one])

    async def _send(self, connection: Connection, filters: Sequence[tuple[str, QoS]]) -> None:
        """Send one SUBSCRIBE. Raises :class:`MessageTooLongError` for more than one filter only."""
        try:
            codes = await connection.subscribe(filters)
        except MessageTooLongError as error:
            if len(filters) > 1:
                raise
            self._warn(connection, filters[0][0], f"it is too long: {error}")
            return
        except NoAnswerError as error:
            if not self._unanswered:
                self._unanswered = True
                raise
            for name, _ in filters:
                self._warn(connection, name, str(error))
            return
        except MqttError as error:
            self._take_ending(connection, filters, error)
            raise
        self._unanswered = False
        for (name, _), code in zip(filters, codes, strict=True):
            if code >= REFUSED:
                self._warn(connection, name, suback_text(code))

    def _take_ending(self, connection: Connection, filters: Sequence[tuple[str, QoS]], error: MqttError) -> None:
        ending = connection.ending
        if ending is None or ending.code in NOT_ABOUT_A_MESSAGE:
            return
        self._alone = True
        if len(filters) == 1:
            name = filters[0][0]
            self._endings[name] = self._endings.get(name, 0) + 1
            if self._endings[name] >= _ENDINGS:
                self._warn(connection, name, f"the connection ends when it is sent: {error}")

    def _warn(self, connection: Connection, name: str, reason: str) -> None:
        level = logging.DEBUG if (name, reason) in self._logged else logging.WARNING
        self._logged.add((name, reason))
        _LOG.log(level, "broker_refused_subscription", topic=connection.root.outward(name), reason=reason)

"""Draws conclusions from connections that a broker ended, so that the next one does not end in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from service.base.logs import get_logger
from service.config.broker_address import BrokerAddress
from service.mqtt.broker_limits import LearnedLimits
from service.mqtt.connection import PublishingConnection
from service.mqtt.errors import MqttError
from service.mqtt.publisher import Publisher
from service.mqtt.reason_codes import NOT_ABOUT_A_MESSAGE

BrokerProblemHandler = Callable[[str], None]
"""Takes a line for people about a broker that ends each connection; an empty text once a connection lasts."""

_ENDINGS: Final = 3
_LOG: Final = get_logger(__name__)


class BrokerEndings:
    """Learns from the connections to the broker at ``address``.

    A limit that the broker names in its reason is kept from then on. If it names none, ``publisher`` finds out which
    message is the cause. After three connections in a row that the broker ended within ``stable_s`` seconds,
    ``on_problem`` takes the reason; an empty text once one has lasted so long. Three refusals in a row are a problem as
    well.
    """

    def __init__(
        self, address: BrokerAddress, publisher: Publisher, on_problem: BrokerProblemHandler | None, *, stable_s: float
    ) -> None:
        self._address = address
        self._publisher = publisher
        self._on_problem = on_problem
        self._stable_s = stable_s
        self._learned = LearnedLimits()
        self._endings = 0
        self._accepted = False
        self._stable: asyncio.TimerHandle | None = None

    def begin(self, connection: PublishingConnection) -> None:
        """Have ``connection``, which was just accepted, keep the limits that were learned."""
        self._accepted = True
        connection.narrow_limits(self._learned.narrow(connection.limits))
        self._stable = asyncio.get_running_loop().call_later(self._stable_s, self._take_stable)

    def conclude(self, connection: PublishingConnection) -> None:
        """Learn from the end of ``connection``."""
        if self._stable is not None:
            self._stable.cancel()
        ending = connection.ending
        if ending is None:
            return
        found = self._learned.learn(ending, connection.limits)
        if found:
            _LOG.warning("broker_limit_learned", broker=self._address, reason=found, because=connection.lost_reason)
        elif ending.code not in NOT_ABOUT_A_MESSAGE:
            self._publisher.suspect_unanswered()
        self._count(f"the broker ends each connection: {connection.lost_reason}")

    def take_failure(self, error: BaseException) -> None:
        """Learn from the ``error`` with which an attempt to connect, or a connection, has failed."""
        if not self._accepted and isinstance(error, MqttError) and error.code is not None:
            self._count(f"the broker does not accept a connection: {error}")
        self._accepted = False

    def _count(self, problem: str) -> None:
        self._endings += 1
        if self._endings >= _ENDINGS and self._on_problem is not None:
            self._on_problem(problem)

    def _take_stable(self) -> None:
        self._endings = 0
        self._publisher.connection_lasts()
        if self._on_problem is not None:
            self._on_problem("")

"""Logs connections to a broker: each failure, and each thing that the broker cannot do, as a warning once."""

from __future__ import annotations

import logging
from typing import Final

from service.base.logs import get_logger
from service.config.broker_address import BrokerAddress
from service.mqtt.broker_lacks import lacks_of
from service.mqtt.broker_limits import BrokerLimits

_LOG: Final = get_logger(__name__)


class BrokerLog:
    """Logs about the broker at ``address``."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self._failures: set[str] = set()
        self._lacks: set[str] = set()

    def connected(self, version: str, connections: int, limits: BrokerLimits) -> None:
        """Log a connection with its number, and what the broker cannot do."""
        _LOG.info("broker_connected", broker=self._address, mqtt=version, connections=connections)
        for lack in lacks_of(limits):
            if lack not in self._lacks:
                self._lacks.add(lack)
                _LOG.warning("broker_limited", broker=self._address, reason=lack)

    def failed(self, error: BaseException) -> None:
        """Log why there is no connection: a warning for a new reason, debug for one that repeats.

        Unlike ``RepeatedFailure``, this does not warn again when two reasons alternate: a broker is tried in both
        versions of MQTT, which it may refuse for different reasons.
        """
        reason = str(error)
        level = logging.DEBUG if reason in self._failures else logging.WARNING
        self._failures.add(reason)
        _LOG.log(level, "broker_not_connected", broker=self._address, reason=reason)

    def worked(self) -> None:
        """Forget the reasons that were logged, as a connection has lasted for a while: each is a warning again."""
        self._failures.clear()

"""Logs what a link to a broker has to report, each thing as a warning once."""

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

        Unlike with ``RepeatedFailure``, two reasons that alternate are no news: before its first answer a broker is
        tried in both versions of MQTT, which it may refuse for different reasons.
        """
        reason = str(error)
        level = logging.DEBUG if reason in self._failures else logging.WARNING
        self._failures.add(reason)
        _LOG.log(level, "broker_not_connected", broker=self._address, reason=reason)

    def worked(self) -> None:
        """Note that a connection worked for a while: reasons that were logged before are new again."""
        self._failures.clear()

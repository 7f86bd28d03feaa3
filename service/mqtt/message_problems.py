"""Counts and logs the messages that a broker does not take."""

from __future__ import annotations

import logging
from typing import Final

from service.base.logs import get_logger
from service.config.topic_root import TopicRoot
from service.mqtt.errors import MessageTooLongError

_LOG: Final = get_logger(__name__)
_NAMED_MAX: Final = 1000
"""Topics and reasons that are remembered; those after them are logged at debug level only."""


class MessageProblems:
    """The messages that were refused by the broker or could not be sent; each topic and reason is a warning once.

    ``root`` is where topics below ``stinger`` are at the broker.
    """

    def __init__(self, root: TopicRoot) -> None:
        self._root = root
        self.too_long = 0
        """Messages longer than the broker accepts."""
        self.refused = 0
        """Messages that the broker answered with a refusal."""
        self._named: set[tuple[str, str]] = set()

    def add_refused(self, topic: str, reason: str) -> None:
        """Count and log a message to ``topic`` that the broker refused."""
        self.refused += 1
        self._log("broker_refused_message", topic, reason, self.refused)

    def add_unsent(self, topic: str, error: ValueError) -> None:
        """Count and log a message to ``topic`` that could not be sent because of ``error``."""
        if isinstance(error, MessageTooLongError):
            self.too_long += 1
            self._log("message_too_long", topic, str(error), self.too_long)
        else:
            self._log("message_not_sent", topic, str(error), 1)

    def _log(self, event: str, topic: str, reason: str, count: int) -> None:
        key = (topic, "" if event == "message_too_long" else reason)  # its reason has the length, which varies
        new = key not in self._named and len(self._named) < _NAMED_MAX
        if new:
            self._named.add(key)
        _LOG.log(
            logging.WARNING if new else logging.DEBUG,
            event,
            topic=self._root.outward(topic),
            reason=reason,
            count=count,
        )

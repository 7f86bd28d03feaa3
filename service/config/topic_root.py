"""The beginning of a daemon's topics, which keeps several daemons on one broker apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from stinger.errors import InputError

DEFAULT_ROOT: Final = "stinger"
"""The root of all topics within the program; connections replace it by the configured one."""
_LONGEST: Final = 128
_PATTERN: Final = re.compile(r"[A-Za-z0-9-]+(/[A-Za-z0-9-]+)*")
_HOME_ASSISTANT: Final = "homeassistant"


@dataclass(frozen=True, slots=True)
class TopicRoot:
    """The levels with which each topic of a daemon begins, such as ``stinger`` or ``halls/east``."""

    text: str = DEFAULT_ROOT

    def __str__(self) -> str:
        return self.text

    def outward(self, topic: str) -> str:
        """Return the topic at the broker for ``topic`` of the program.

        Topics that are not the daemon's stay as they are.

        >>> TopicRoot("halls/east").outward("stinger/b1/shot")
        'halls/east/b1/shot'
        """
        if self.text != DEFAULT_ROOT and topic.startswith(f"{DEFAULT_ROOT}/"):
            return self.text + topic[len(DEFAULT_ROOT) :]
        return topic

    def inward(self, topic: str) -> str:
        """Return the topic of the program for ``topic`` at the broker; an empty one for another daemon's.

        >>> TopicRoot("halls/east").inward("halls/east/b1/shot")
        'stinger/b1/shot'
        >>> TopicRoot("halls/east").inward("stinger/b1/shot")
        ''
        """
        if self.text == DEFAULT_ROOT:
            return topic
        if topic.startswith(f"{self.text}/"):
            return DEFAULT_ROOT + topic[len(self.text) :]
        return "" if topic.startswith(f"{DEFAULT_ROOT}/") else topic

    @property
    def identifier(self) -> str:
        """The root as part of an identifier, which has no slashes."""
        return self.text.replace("/", "-")


def parse_topic_root(text: str) -> TopicRoot:
    """Return the root ``text``. Raises :class:`InputError` if it cannot be one.

    >>> parse_topic_root("halls/east").identifier
    'halls-east'
    """
    if len(text) > _LONGEST or not _PATTERN.fullmatch(text):
        raise InputError(f"expected letters, digits and '-', with '/' between levels, at most {_LONGEST} characters")
    if text.partition("/")[0] == _HOME_ASSISTANT:
        raise InputError(f"{_HOME_ASSISTANT}/ is Home Assistant's: expected another")
    return TopicRoot(text)

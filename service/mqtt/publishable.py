"""Which messages can be published at all, whatever the broker."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

TOPIC_MAX_BYTES: Final = 65_535
"""MQTT has two bytes for the length of a text."""
PAYLOAD_MAX_BYTES: Final = 1 << 20
"""Far longer than any message of the daemon: what exceeds this is damaged."""
_WILDCARDS: Final = "+#"


@lru_cache(maxsize=16_384)
def topic_problem(topic: str) -> str:
    """Return why nothing can be published to ``topic``, as a phrase after its name; empty if it can be.

    >>> topic_problem("stinger/b1/shot")
    ''
    >>> topic_problem("stinger/+/shot")
    'has a wildcard'
    """
    if not topic:
        return "is empty"
    if "\0" in topic:
        return "has a NUL character"
    if any(wildcard in topic for wildcard in _WILDCARDS):
        return "has a wildcard"
    try:
        size = len(topic.encode())
    except UnicodeEncodeError:
        return "has half of a surrogate pair"
    return f"has {size} bytes, more than {TOPIC_MAX_BYTES}" if size > TOPIC_MAX_BYTES else ""


def message_problem(topic: str, payload: bytes) -> str:
    """Return why ``payload`` cannot be published to ``topic``; empty if it can be."""
    problem = topic_problem(topic)
    if problem:
        return f"its topic {problem}"
    size = len(payload)
    return f"its payload has {size} bytes, more than {PAYLOAD_MAX_BYTES}" if size > PAYLOAD_MAX_BYTES else ""

"""Parses the daemon's messages into events, scores and states. A message that cannot be parsed is left out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hil.measuring.observations import ReceivedMessage

SCORE_DTYPE: Final = np.dtype(
    [
        ("device_ms", "i8"),
        ("probability", "f8"),
        ("read_ns", "i8"),
        ("scored_ns", "i8"),
        ("published_ns", "i8"),
        ("received_ns", "i8"),
    ]
)
"""The score of one sample; ``probability`` is NaN where the daemon published null, a missing stamp is 0."""

EVENT_KINDS: Final = ("shot", "spinup", "false_spinup")


@dataclass(frozen=True, slots=True)
class Stamps:
    """When a message's sample passed the stages of the daemon, on the monotonic clock; 0 if not published."""

    read_ns: int = 0
    scored_ns: int = 0
    published_ns: int = 0


@dataclass(frozen=True, slots=True)
class DaemonMessage:
    """An event or state published by the daemon: ``content`` is the JSON object of a message of this ``kind``.

    ``kind`` is the last level of the topic. ``device`` is the device's name, or ``daemon`` for the daemon's own state.
    """

    at_ns: int
    device: str
    kind: str
    content: dict[str, Any]
    retained: bool = False

    @property
    def stamps(self) -> Stamps:
        """The stamps in the message, all 0 if it has none."""
        return _stamps(self.content)


def parse_messages(received: Iterable[ReceivedMessage], kinds: Iterable[str]) -> list[DaemonMessage]:
    """Return the messages of these ``kinds``, in order of receipt."""
    return list(_parsed(received, set(kinds)))


def parse_scores(received: Iterable[ReceivedMessage]) -> dict[str, npt.NDArray[np.void]]:
    """Return the scores of each device, ``(n,)`` of SCORE_DTYPE, in order of receipt."""
    rows: dict[str, list[tuple[float, ...]]] = {}
    for message in _parsed(received, {"scores"}):
        stamps = message.stamps
        first_ms, step_ms = message.content.get("first_device_ms"), message.content.get("period_ms")
        if not isinstance(first_ms, int) or not isinstance(step_ms, int):
            continue
        rows.setdefault(message.device, []).extend(
            (
                first_ms + i * step_ms,
                math.nan if probability is None else probability,
                *(stamps.read_ns, stamps.scored_ns, stamps.published_ns),
                message.at_ns,
            )
            for i, probability in enumerate(message.content.get("probabilities", ()))
        )
    return {device: np.array(scores, dtype=SCORE_DTYPE) for device, scores in rows.items()}


def _parsed(received: Iterable[ReceivedMessage], kinds: set[str]) -> Iterator[DaemonMessage]:
    for message in received:
        root, _, rest = message.topic.partition("/")
        device, _, kind = rest.partition("/")
        if root != "stinger" or kind not in kinds:
            continue
        try:
            content = json.loads(message.payload)
        except (ValueError, RecursionError):
            continue
        if isinstance(content, dict):
            yield DaemonMessage(message.at_ns, device, kind, content, message.retained)


def _stamps(content: dict[str, Any]) -> Stamps:
    stamps = content.get("stamps")
    if not isinstance(stamps, dict):
        return Stamps()
    return Stamps(*(int(stamps.get(name, 0)) for name in ("read_ns", "scored_ns", "published_ns")))

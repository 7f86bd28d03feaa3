"""What the daemon said, read: events, scores and states out of messages. What cannot be read is left out."""

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
"""The score of one sample, NaN where it was told to have none; stamps that were not told are 0."""

EVENT_KINDS: Final = ("shot", "spinup", "false_spinup")


@dataclass(frozen=True, slots=True)
class Stamps:
    """When a message's sample passed the stages of the daemon, monotonic; 0 where that was not told."""

    read_ns: int = 0
    scored_ns: int = 0
    published_ns: int = 0


@dataclass(frozen=True, slots=True)
class DaemonMessage:
    """An event or a state: ``content`` is the JSON of a message about ``device`` of this ``kind``."""

    at_ns: int
    device: str
    kind: str
    content: dict[str, Any]
    retained: bool = False

    @property
    def stamps(self) -> Stamps:
        """Those of the message, if it has any."""
        return _stamps(self.content)


def parse_messages(heard: Iterable[ReceivedMessage], kinds: Iterable[str]) -> list[DaemonMessage]:
    """The messages of those ``kinds`` (the last level of the topic), in order; of the daemon, ``device`` is ``daemon``."""
    wanted = set(kinds)
    return [told for told in _told(heard, wanted) if told.kind in wanted]


def parse_scores(heard: Iterable[ReceivedMessage]) -> dict[str, npt.NDArray[np.void]]:
    """The scores of each device, ``(n,)`` of SCORE_DTYPE, in the order in which they came."""
    rows: dict[str, list[tuple[float, ...]]] = {}
    for told in _told(heard, {"scores"}):
        stamps = told.stamps
        first_ms, step_ms = told.content.get("first_device_ms"), told.content.get("period_ms")
        if not isinstance(first_ms, int) or not isinstance(step_ms, int):
            continue
        rows.setdefault(told.device, []).extend(
            (
                first_ms + i * step_ms,
                math.nan if probability is None else probability,
                *(stamps.read_ns, stamps.scored_ns, stamps.published_ns),
                told.at_ns,
            )
            for i, probability in enumerate(told.content.get("probabilities", ()))
        )
    return {device: np.array(scores, dtype=SCORE_DTYPE) for device, scores in rows.items()}


def _told(heard: Iterable[ReceivedMessage], kinds: set[str]) -> Iterator[DaemonMessage]:
    for message in heard:
        root, _, rest = message.topic.partition("/")
        device, _, kind = rest.partition("/")
        if root != "stinger" or kind not in kinds:
            continue
        try:
            content = json.loads(message.payload)
        except ValueError:
            continue
        if isinstance(content, dict):
            yield DaemonMessage(message.at_ns, device, kind, content, message.retained)


def _stamps(content: dict[str, Any]) -> Stamps:
    stamps = content.get("stamps")
    if not isinstance(stamps, dict):
        return Stamps()
    return Stamps(*(int(stamps.get(name, 0)) for name in ("read_ns", "scored_ns", "published_ns")))

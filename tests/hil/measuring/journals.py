"""Journals as devices write them, and the messages that a daemon would publish for them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from hil.emulated.journal import ENTRY_DTYPE
from hil.measuring.messages import SCORE_DTYPE
from hil.measuring.observations import ReceivedMessage
from stinger.sample import SampleArray
from tests.helpers.samples import random_samples

STEP_NS = 10_000_000
START_NS = 5_000_000_000
LATE_NS = 100_000
"""How long after it was due every sample is written."""


def journal(count: int, *, triggers: Iterable[int] = (), first_ms: int = 1000) -> SampleArray:
    """Return ``count`` samples, all sent intact over one stream, with the trigger pressed for three samples from each trigger."""
    entries = np.zeros(count, dtype=ENTRY_DTYPE)
    entries["number"] = np.arange(count)
    entries["time_ms"] = first_ms + 10 * np.arange(count)
    entries["sample"] = random_samples(count)
    entries["sample"]["timestamp_ms"] = entries["time_ms"]
    entries["sample"]["trigger"] = 0
    for start in triggers:
        entries["sample"]["trigger"][start : start + 3] = 1
    entries["sequence"] = np.arange(count) % 2**16
    entries["due_ns"] = START_NS + STEP_NS * np.arange(count)
    entries["written_ns"] = entries["due_ns"] + LATE_NS
    entries["intact"] = True
    entries["probability"] = np.where(np.arange(count) < 49, np.nan, np.linspace(0, 1, count))
    return entries


def scores_of(entries: SampleArray, *, received_after_ns: int = 1_000_000) -> npt.NDArray[Any]:
    """Return the scores that a perfect daemon publishes; each of its four stages takes a quarter of the time."""
    scores = np.zeros(entries.shape[0], dtype=SCORE_DTYPE)
    scores["device_ms"] = entries["sample"]["timestamp_ms"]
    scores["probability"] = entries["probability"]
    for quarter, name in enumerate(("read_ns", "scored_ns", "published_ns", "received_ns"), start=1):
        scores[name] = entries["written_ns"] + quarter * received_after_ns // 4
    return scores


def shot(
    device_ms: int, at_ns: int, identifier: str = "", device: str = "d0", *, accepted: bool = True
) -> ReceivedMessage:
    """Return a shot event with the wheels off."""
    content = {
        "id": identifier or f"{device_ms}",
        "device_ms": device_ms,
        "wheels_on": False,
        "lead_ms": None,
        "accepted": accepted,
    }
    return ReceivedMessage(at_ns, f"stinger/{device}/shot", json.dumps(content).encode())

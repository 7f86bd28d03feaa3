"""Compares the daemon's scores and wheel switches with the device's own, sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hil.measuring.delivery import Delivery
from hil.measuring.journal_lookup import JournalLookup
from hil.measuring.messages import DaemonMessage


@dataclass(frozen=True, slots=True)
class ScoreAgreement:
    """How many scores were compared, how many the daemon lacks, and the largest difference (``None`` if none)."""

    compared: int
    missing: int
    largest_difference: float | None


def compare_scores(delivery: Delivery, scores: npt.NDArray[Any], *, until_ns: int | None = None) -> ScoreAgreement:
    """Compare ``scores`` ``(n,)`` of SCORE_DTYPE with the journal's.

    Only samples for which both sides had the same window of 50 samples are compared. Scores received at or after
    ``until_ns`` are left out: the daemon used another model by then.
    """
    if until_ns is not None:
        scores = scores[scores["received_ns"] < until_ns]
    if not delivery.journal.size:
        return ScoreAgreement(0, 0, None)
    found = JournalLookup(delivery.journal).find(scores["device_ms"], scores["received_ns"])
    own = delivery.journal["probability"][found].astype(np.float64)
    comparable = (found >= 0) & delivery.whole_windows()[found] & ~np.isnan(own)
    published = scores["probability"][comparable]
    missing = np.isnan(published)
    difference = np.abs(published - own[comparable])[~missing]
    return ScoreAgreement(
        compared=int(difference.size),
        missing=int(missing.sum()),
        largest_difference=float(difference.max()) if difference.size else None,
    )


@dataclass(frozen=True, slots=True)
class WheelAgreement:
    """How often the device switched its wheels, and how many switches only one side made."""

    compared: int
    disagreeing: int


def compare_wheels(delivery: Delivery, spin_ups: Sequence[DaemonMessage]) -> WheelAgreement:
    """Compare the switches of the device's own decision with the daemon's, by the time of their samples.

    Only switches at delivered samples count, and only where device and daemon started at the same sample.
    """
    journal = delivery.journal
    wheels = journal["wheels"]
    switched = np.flatnonzero(wheels[1:] != wheels[:-1]) + 1
    switched = switched[delivery.delivered[switched]]
    own = {(int(journal["sample"]["timestamp_ms"][i]), bool(wheels[i])) for i in switched.tolist()}
    last_ms = int(journal["sample"]["timestamp_ms"][delivery.delivered].max(initial=0))
    published = {
        (int(message.content["device_ms"]), message.content.get("state") == "on")
        for message in spin_ups
        if isinstance(message.content.get("device_ms"), int) and message.content["device_ms"] <= last_ms
    }
    return WheelAgreement(len(own), len(own ^ published))

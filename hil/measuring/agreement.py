"""The daemon's outputs against the device's own, sample by sample."""

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
class Agreement:
    """``largest`` is ``None`` where nothing could be compared."""

    compared: int
    missing: int
    largest: float | None


def compare_scores(delivery: Delivery, scores: npt.NDArray[Any], *, until_ns: int | None = None) -> Agreement:
    """Compare ``scores`` ``(n,)`` of SCORE_DTYPE with the journal's, where both had the same 50 samples before them.

    What came after ``until_ns`` is left aside: another model serves by then.
    """
    if until_ns is not None:
        scores = scores[scores["received_ns"] < until_ns]
    if not delivery.journal.size:
        return Agreement(0, 0, None)
    found = JournalLookup(delivery.journal).find(scores["device_ms"], scores["received_ns"])
    own = delivery.journal["probability"][found].astype(np.float64)
    alike = (found >= 0) & delivery.whole_windows()[found] & ~np.isnan(own)
    told = scores["probability"][alike]
    missing = np.isnan(told)
    difference = np.abs(told - own[alike])[~missing]
    return Agreement(
        compared=int(difference.size),
        missing=int(missing.sum()),
        largest=float(difference.max()) if difference.size else None,
    )


@dataclass(frozen=True, slots=True)
class WheelAgreement:
    """Switches of the device's wheels, and those that only one side made."""

    compared: int
    disagreeing: int


def compare_wheels(delivery: Delivery, spin_ups: Sequence[DaemonMessage]) -> WheelAgreement:
    """Compare the switches of the device's own decision with the daemon's, by the time of their samples.

    Only what happened while samples were streamed counts, and only where device and daemon began together.
    """
    journal = delivery.journal
    wheels = journal["wheels"]
    switched = np.flatnonzero(wheels[1:] != wheels[:-1]) + 1
    switched = switched[delivery.delivered[switched]]
    own = {(int(journal["sample"]["timestamp_ms"][i]), bool(wheels[i])) for i in switched.tolist()}
    last_ms = int(journal["sample"]["timestamp_ms"][delivery.delivered].max(initial=0))
    told = {
        (int(message.content["device_ms"]), message.content.get("state") == "on")
        for message in spin_ups
        if isinstance(message.content.get("device_ms"), int) and message.content["device_ms"] <= last_ms
    }
    return WheelAgreement(len(own), len(own ^ told))

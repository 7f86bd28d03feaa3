"""Measures the recovery time: how long after the end of a fault everything worked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hil.measuring.delivery import Delivery
from hil.measuring.journal_lookup import JournalLookup
from hil.measuring.messages import DaemonMessage
from hil.measuring.observations import InjectedFault
from stinger.units import NS_PER_S


@dataclass(frozen=True, slots=True)
class Recovery:
    """The recovery from ``fault``; ``at_ns`` is ``None`` if none was observed."""

    fault: InjectedFault
    at_ns: int | None

    @property
    def time_s(self) -> float | None:
        """The time from the end of the fault to the recovery."""
        if self.at_ns is None or self.fault.end_ns is None:
            return None
        return max(0.0, (self.at_ns - self.fault.end_ns) / NS_PER_S)


def find_recoveries(
    faults: Sequence[InjectedFault],
    deliveries: Mapping[str, Delivery],
    scores: Mapping[str, npt.NDArray[Any]],
    status: Sequence[DaemonMessage],
) -> list[Recovery]:
    """Return the recovery from each fault that has an end.

    From a full disk, the daemon has recovered when it clears its alarm. From any other fault, when a score has been
    received, for each affected device, of a sample that was written after the end of the fault.
    """
    found = []
    scored = {name: _scored_samples(delivery, scores.get(name)) for name, delivery in deliveries.items()}
    for fault in faults:
        if fault.end_ns is None:
            continue
        if fault.kind == "disk_full":
            found.append(Recovery(fault, _alarm_cleared_ns(status, fault.end_ns)))
            continue
        affected = [fault.device] if fault.device else list(deliveries)
        times = [_first_received_ns(scored[name], fault.end_ns) for name in affected]
        known = [at_ns for at_ns in times if at_ns is not None]
        found.append(Recovery(fault, max(known) if known and len(known) == len(times) else None))
    return found


def model_switch_s(faults: Sequence[InjectedFault], models: Sequence[DaemonMessage]) -> float | None:
    """Return the time from the promotion of a model to the first message of a device that is scored by a new model."""
    promoted = next((fault for fault in faults if fault.kind == "model_swapped"), None)
    if promoted is None:
        return None
    before = {each.device: each.content.get("model") for each in models if each.at_ns < promoted.start_ns}
    for message in models:
        if message.at_ns >= promoted.start_ns and message.content.get("model") != before.get(message.device):
            return (message.at_ns - promoted.start_ns) / NS_PER_S
    return None


def first_model_change_ns(models: Sequence[DaemonMessage]) -> int | None:
    """Return when a device was first scored by another model than at the beginning; ``None`` if never."""
    first = next((message.content.get("model") for message in models), None)
    return next((message.at_ns for message in models if message.content.get("model") != first), None)


def _scored_samples(delivery: Delivery, scores: npt.NDArray[Any] | None) -> npt.NDArray[np.int64]:
    """Return, per sample with a score, when it was written and when its score was received, ``(n, 2)``."""
    if scores is None:
        return np.empty((0, 2), dtype=np.int64)
    scores = scores[~np.isnan(scores["probability"])]
    found = JournalLookup(delivery.journal).find(scores["device_ms"], scores["received_ns"])
    written_ns = delivery.journal["written_ns"][found[found >= 0]]
    return np.column_stack((written_ns, scores["received_ns"][found >= 0]))


def _first_received_ns(scored: npt.NDArray[np.int64], end_ns: int) -> int | None:
    later = scored[scored[:, 0] >= end_ns]
    return int(later[:, 1].min()) if later.size else None


def _alarm_cleared_ns(status: Sequence[DaemonMessage], end_ns: int) -> int | None:
    alarmed = any(message.content.get("alarm") for message in status)
    cleared = (each.at_ns for each in status if each.at_ns >= end_ns and not each.content.get("alarm"))
    return next(cleared, None) if alarmed else None

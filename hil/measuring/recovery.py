"""How soon all was well again after a fault."""

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

_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class Recovery:
    """After ``occurrence``; ``at_ns`` is ``None`` where it was not seen to be well again."""

    occurrence: InjectedFault
    at_ns: int | None

    @property
    def took_s(self) -> float | None:
        """From the end of the occurrence on."""
        if self.at_ns is None or self.occurrence.end_ns is None:
            return None
        return max(0.0, (self.at_ns - self.occurrence.end_ns) / _NS_PER_S)


def recoveries(
    faults: Sequence[InjectedFault],
    deliveries: Mapping[str, Delivery],
    scores: Mapping[str, npt.NDArray[Any]],
    status: Sequence[DaemonMessage],
) -> list[Recovery]:
    """The recovery from each occurrence that has an end.

    A full disk is over when the daemon's alarm is; all else when a score has come, for each device concerned, of a
    sample that was sent after the end.
    """
    found = []
    scored = {name: _scored_samples(delivery, scores.get(name)) for name, delivery in deliveries.items()}
    for occurrence in faults:
        if occurrence.end_ns is None:
            continue
        if occurrence.kind == "disk_full":
            found.append(Recovery(occurrence, _alarm_over(status, occurrence.end_ns)))
            continue
        concerned = [occurrence.device] if occurrence.device else list(deliveries)
        times = [_first_after(scored[name], occurrence.end_ns) for name in concerned]
        known = [at_ns for at_ns in times if at_ns is not None]
        found.append(Recovery(occurrence, max(known) if known and len(known) == len(times) else None))
    return found


def model_taken_s(faults: Sequence[InjectedFault], models: Sequence[DaemonMessage]) -> float | None:
    """From the promotion of a model to the first word of a device that is scored by another than before."""
    promoted = next((each for each in faults if each.kind == "model_swapped"), None)
    if promoted is None:
        return None
    before = {told.device: told.content.get("model") for told in models if told.at_ns < promoted.start_ns}
    for told in models:
        if told.at_ns >= promoted.start_ns and told.content.get("model") != before.get(told.device):
            return (told.at_ns - promoted.start_ns) / _NS_PER_S
    return None


def first_other_model_ns(models: Sequence[DaemonMessage]) -> int | None:
    """When a device was first scored by another model than at the beginning."""
    first = next((told.content.get("model") for told in models), None)
    return next((told.at_ns for told in models if told.content.get("model") != first), None)


def _scored_samples(delivery: Delivery, scores: npt.NDArray[Any] | None) -> npt.NDArray[np.int64]:
    """When the samples with a score were written and their scores received, ``(n, 2)``, in order of receipt."""
    if scores is None:
        return np.empty((0, 2), dtype=np.int64)
    scores = scores[~np.isnan(scores["probability"])]
    found = JournalLookup(delivery.journal).find(scores["device_ms"], scores["received_ns"])
    written_ns = delivery.journal["written_ns"][found[found >= 0]]
    return np.column_stack((written_ns, scores["received_ns"][found >= 0]))


def _first_after(scored: npt.NDArray[np.int64], end_ns: int) -> int | None:
    later = scored[scored[:, 0] >= end_ns]
    return int(later[:, 1].min()) if later.size else None


def _alarm_over(status: Sequence[DaemonMessage], end_ns: int) -> int | None:
    alarmed = any(told.content.get("alarm") for told in status)
    over = (told.at_ns for told in status if told.at_ns >= end_ns and not told.content.get("alarm"))
    return next(over, None) if alarmed else None

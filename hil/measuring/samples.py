"""Samples sent against samples recorded: none lost, none repeated, none made up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hil.measuring.delivery import Delivery
from stinger.sample import SAMPLE_BYTES, SampleArray

GAP_MS = 50


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """See :data:`hil.measuring.names.MEASUREMENTS` for what each says."""

    sent: int
    lost: int
    foreign: int
    repeated: int
    disordered: int
    lost_on_wire: int


def compare_samples(delivery: Delivery, recorded: SampleArray) -> SampleCounts:
    """What became of the samples that a device sent: ``recorded`` ``(m,)`` of SAMPLE_DTYPE is what the daemon kept.

    A sample is known by all of its 17 bytes.
    """
    journal = delivery.journal
    streamed = Counter(_records(journal["sample"][delivery.stream >= 0]))
    due = Counter(_records(journal["sample"][delivery.delivered]))
    kept = Counter(_records(recorded))
    foreign = sum(count for record, count in kept.items() if record not in streamed)
    repeated = sum(max(0, count - streamed[record]) for record, count in kept.items() if record in streamed)
    return SampleCounts(
        sent=due.total(),
        lost=(due - kept).total(),
        foreign=foreign,
        repeated=repeated,
        disordered=_disordered(_records(journal["sample"]), _records(recorded)),
        lost_on_wire=delivery.lost_by_sequence(),
    )


def recorded_rate_hz(recorded: SampleArray) -> float | None:
    """Samples a second in ``recorded`` ``(m,)``, gaps and steps back left aside; ``None`` where time does not advance."""
    step_ms = np.diff(recorded["timestamp_ms"].astype(np.int64))
    steady = step_ms[(step_ms > 0) & (step_ms <= GAP_MS)]
    return float(1000 / steady.mean()) if steady.size else None


def _disordered(sent: Sequence[bytes], recorded: Sequence[bytes]) -> int:
    """How many of ``recorded`` stand behind one that was sent later; foreign ones and repetitions left aside."""
    places: dict[bytes, list[int]] = {}
    for place in range(len(sent) - 1, -1, -1):
        places.setdefault(sent[place], []).append(place)
    count, latest = 0, -1
    for record in recorded:
        if places.get(record):
            place = places[record].pop()
            count += place < latest
            latest = max(latest, place)
    return count


def _records(samples: SampleArray) -> list[bytes]:
    data = np.ascontiguousarray(samples).tobytes()
    return [data[start : start + SAMPLE_BYTES] for start in range(0, len(data), SAMPLE_BYTES)]

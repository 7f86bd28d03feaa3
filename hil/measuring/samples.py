"""Compares samples sent with samples recorded: lost, repeated, reordered, or never sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hil.measuring.delivery import Delivery
from stinger.recording import GAP_MS
from stinger.sample import SAMPLE_BYTES, SampleArray

Numbers = npt.NDArray[np.intp]
_RECORD: Final = np.dtype(f"S{SAMPLE_BYTES}")


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """Counts of samples; :data:`hil.measuring.definitions.MEASUREMENTS` defines each."""

    sent: int
    lost: int
    foreign: int
    repeated: int
    disordered: int
    lost_on_wire: int


def compare_samples(delivery: Delivery, recorded: SampleArray) -> SampleCounts:
    """Compare the samples that a device sent with those that the daemon ``recorded``, ``(m,)`` of SAMPLE_DTYPE.

    Two samples are the same if all of their 17 bytes are equal.
    """
    journal = delivery.journal
    sent, kept = _numbered(journal["sample"], recorded)
    kinds = int(max(sent.max(initial=-1), kept.max(initial=-1))) + 1
    sent_count = np.bincount(sent[delivery.stream >= 0], minlength=kinds)
    delivered_count = np.bincount(sent[delivery.delivered], minlength=kinds)
    recorded_count = np.bincount(kept, minlength=kinds)
    known = sent_count > 0
    return SampleCounts(
        sent=int(delivered_count.sum()),
        lost=int(np.maximum(delivered_count - recorded_count, 0).sum()),
        foreign=int(recorded_count[~known].sum()),
        repeated=int(np.maximum(recorded_count - sent_count, 0)[known].sum()),
        disordered=_disordered(sent, kept),
        lost_on_wire=delivery.lost_by_sequence(),
    )


def recorded_rate_hz(recorded: SampleArray) -> float | None:
    """Return the mean rate of ``recorded`` ``(m,)``, ignoring gaps and backward steps.

    ``None`` without a step forward.
    """
    step_ms = np.diff(recorded["timestamp_ms"].astype(np.int64))
    steady = step_ms[(step_ms > 0) & (step_ms <= GAP_MS)]
    return float(1000 / steady.mean()) if steady.size else None


def _numbered(sent: SampleArray, recorded: SampleArray) -> tuple[Numbers, Numbers]:
    """Number the distinct samples in ``sent`` ``(n,)`` and ``recorded`` ``(m,)`` from 0: equal bytes, equal number."""
    # NumPy ignores trailing zero bytes of fixed-length strings. All records have 17 bytes, so different ones stay
    # different.
    records = np.concatenate([np.ascontiguousarray(samples).view(_RECORD) for samples in (sent, recorded)])
    numbers = np.unique(records, return_inverse=True)[1]
    return numbers[: sent.shape[0]], numbers[sent.shape[0] :]


def _disordered(sent: Numbers, recorded: Numbers) -> int:
    """Count the ``recorded`` samples that come after one that was sent later, ignoring foreign and repeated ones.

    Of equal samples, the first recorded is matched with the first sent, the second with the second, and so on.
    """
    places = np.argsort(sent, kind="stable")
    first = np.searchsorted(sent[places], recorded)
    match = first + _earlier_occurrences(recorded)
    matched = match < np.searchsorted(sent[places], recorded, side="right")
    place = places[match[matched]]
    return int(np.count_nonzero(place[1:] < np.maximum.accumulate(place)[:-1]))


def _earlier_occurrences(numbers: Numbers) -> Numbers:
    """Return, for each of ``numbers`` ``(n,)``, how often it occurred before."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    occurrences = np.empty_like(order)
    occurrences[order] = np.arange(ordered.size) - np.searchsorted(ordered, ordered)
    return occurrences

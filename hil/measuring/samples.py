"""Samples sent against samples recorded: none lost, none repeated, none made up."""

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
    """See :data:`hil.measuring.definitions.MEASUREMENTS` for what each says."""

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
    sent, kept = _numbered(journal["sample"], recorded)
    kinds = int(max(sent.max(initial=-1), kept.max(initial=-1))) + 1
    streamed = np.bincount(sent[delivery.stream >= 0], minlength=kinds)
    due = np.bincount(sent[delivery.delivered], minlength=kinds)
    came = np.bincount(kept, minlength=kinds)
    known = streamed > 0
    return SampleCounts(
        sent=int(due.sum()),
        lost=int(np.maximum(due - came, 0).sum()),
        foreign=int(came[~known].sum()),
        repeated=int(np.maximum(came - streamed, 0)[known].sum()),
        disordered=_disordered(sent, kept),
        lost_on_wire=delivery.lost_by_sequence(),
    )


def recorded_rate_hz(recorded: SampleArray) -> float | None:
    """Samples a second in ``recorded`` ``(m,)``, gaps and steps back left aside; ``None`` where time does not advance."""
    step_ms = np.diff(recorded["timestamp_ms"].astype(np.int64))
    steady = step_ms[(step_ms > 0) & (step_ms <= GAP_MS)]
    return float(1000 / steady.mean()) if steady.size else None


def _numbered(sent: SampleArray, recorded: SampleArray) -> tuple[Numbers, Numbers]:
    """``sent`` ``(n,)`` and ``recorded`` ``(m,)`` as numbers from 0 on, equal where all 17 bytes are."""
    # Of a text of a fixed length NumPy leaves out the zeros at its end, which in these can mean nothing but zeros.
    records = np.concatenate([np.ascontiguousarray(samples).view(_RECORD) for samples in (sent, recorded)])
    numbers = np.unique(records, return_inverse=True)[1]
    return numbers[: sent.shape[0]], numbers[sent.shape[0] :]


def _disordered(sent: Numbers, recorded: Numbers) -> int:
    """How many of ``recorded`` stand behind one that was sent later; foreign ones and repetitions left aside.

    Of samples that are alike, the first recorded is taken for the first sent, and so on.
    """
    places = np.argsort(sent, kind="stable")
    first = np.searchsorted(sent[places], recorded)
    turn = first + _turns(recorded)
    there = turn < np.searchsorted(sent[places], recorded, side="right")
    place = places[turn[there]]
    return int(np.count_nonzero(place[1:] < np.maximum.accumulate(place)[:-1]))


def _turns(numbers: Numbers) -> Numbers:
    """For each of ``numbers`` ``(n,)`` how often it was there before."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    turns = np.empty_like(order)
    turns[order] = np.arange(ordered.size) - np.searchsorted(ordered, ordered)
    return turns

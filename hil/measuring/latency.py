"""Latency of each stage, from a sample's writing to its receipt by a subscriber, as HDR histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

from hil.measuring.delivery import Delivery
from hil.measuring.journal_lookup import JournalLookup
from hil.measuring.messages import SCORE_DTYPE, DaemonMessage
from hil.record import Latency

SAMPLES: Final = "sample: written to received"
EVENTS: Final = "event: written to received"

_LONGEST_US: Final = 3_600_000_000
_DIGITS: Final = 3
_BUCKETS_PER_DECADE: Final = 16
_NS_PER_US: Final = 1000

Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class StageTimes:
    """When each of ``n`` samples was due, written, read, scored, published and received; 0 where unknown.

    For a device without a journal all of ``due_ns`` and ``written_ns`` are 0.
    """

    due_ns: Times
    written_ns: Times
    read_ns: Times
    scored_ns: Times
    published_ns: Times
    received_ns: Times


def sample_times(delivery: Delivery | None, scores: npt.NDArray[Any]) -> StageTimes:
    """Return the times of every sample whose score was published: ``scores`` ``(n,)`` of SCORE_DTYPE."""
    due_ns = written_ns = np.zeros(scores.shape[0], dtype=np.int64)
    if delivery is not None:
        found = JournalLookup(delivery.journal).find(scores["device_ms"], scores["received_ns"])
        scores, found = scores[found >= 0], found[found >= 0]
        due_ns, written_ns = delivery.journal["due_ns"][found], delivery.journal["written_ns"][found]
    stages = [scores[name] for name in ("read_ns", "scored_ns", "published_ns", "received_ns")]
    return StageTimes(due_ns, written_ns, *stages)


def event_times(delivery: Delivery | None, events: Sequence[DaemonMessage]) -> StageTimes:
    """Return the times of the samples that caused ``events``.

    Events without stamps, caused by no sample, are left out.
    """
    rows = []
    for event in events:
        stamps, device_ms = event.stamps, event.content.get("device_ms")
        if stamps.read_ns and isinstance(device_ms, int):
            rows.append((device_ms, np.nan, stamps.read_ns, stamps.scored_ns, stamps.published_ns, event.at_ns))
    return sample_times(delivery, np.array(rows, dtype=SCORE_DTYPE))


def floor_times(delivery: Delivery, messages: Sequence[DaemonMessage]) -> StageTimes:
    """Return the times of samples published without a daemon; their messages have no stamps but the sample's time."""
    rows = [
        (int(message.content["device_ms"]), np.nan, 0, 0, 0, message.at_ns)
        for message in messages
        if isinstance(message.content.get("device_ms"), int)
    ]
    return sample_times(delivery, np.array(rows, dtype=SCORE_DTYPE))


def concatenate(parts: Sequence[StageTimes]) -> StageTimes:
    """Return the times of several devices, one device after another."""
    return StageTimes(*(np.concatenate([getattr(part, name) for part in parts]) for name in StageTimes.__slots__))


def sample_latencies(times: StageTimes) -> list[Latency]:
    """Return a histogram for each stage that samples passed, and for the whole path."""
    return _latencies(
        {
            "sample: written to read": (times.written_ns, times.read_ns),
            "sample: read to scored": (times.read_ns, times.scored_ns),
            "sample: scored to published": (times.scored_ns, times.published_ns),
            "sample: published to received": (times.published_ns, times.received_ns),
            SAMPLES: (times.written_ns, times.received_ns),
        }
    ) + _latencies({"sample: due to received": (times.due_ns, times.received_ns)}, corrected=True)


def event_latencies(times: StageTimes) -> list[Latency]:
    """Return a histogram for each stage of events; before the scoring they pass the stages of their samples."""
    return _latencies(
        {
            "event: scored to published": (times.scored_ns, times.published_ns),
            "event: published to received": (times.published_ns, times.received_ns),
            EVENTS: (times.written_ns, times.received_ns),
        }
    )


def floor_latency(stage: str, times: StageTimes) -> list[Latency]:
    """Return the latency of the whole path without a daemon.

    It has the name of the ``stage`` that it is the floor of. The list is empty if none was measured.
    """
    return _latencies({stage: (times.written_ns, times.received_ns)}, floor=True)


def histogram(stage: str, durations_us: npt.NDArray[np.float64], **fields: Any) -> Latency:
    """Return ``durations_us`` ``(n,)``, n >= 1, as a histogram of three digits; shorter than 1 µs counts as 1 µs.

    ``fields`` are further fields of :class:`~hil.record.Latency`.
    """
    found = HdrHistogram(1, _LONGEST_US, _DIGITS)
    for value in np.clip(np.rint(durations_us), 1, _LONGEST_US).astype(np.int64).tolist():
        found.record_value(value)
    p50, p90, p99, p99_9 = (float(found.get_value_at_percentile(part)) for part in (50, 90, 99, 99.9))
    buckets = [
        (float(entry.value_iterated_to), int(entry.count_added_in_this_iter_step))
        for entry in found.get_log_iterator(1, 10 ** (1 / _BUCKETS_PER_DECADE))
        if entry.count_added_in_this_iter_step
    ]
    return Latency(stage, int(durations_us.size), p50, p90, p99, p99_9, float(durations_us.max()), buckets, **fields)


def find_stage(latencies: Sequence[Latency], stage: str, *, floor: bool = False) -> Latency | None:
    """Return the histogram of ``stage``; ``None`` if there is none.

    It was measured with the daemon, or without it if ``floor``.
    """
    return next((each for each in latencies if each.stage == stage and each.floor is floor), None)


def _latencies(stages: Mapping[str, tuple[Times, Times]], **fields: Any) -> list[Latency]:
    found = []
    for stage, (start_ns, end_ns) in stages.items():
        known = (start_ns > 0) & (end_ns > 0)
        if known.any():
            found.append(histogram(stage, (end_ns - start_ns)[known] / _NS_PER_US, **fields))
    return found

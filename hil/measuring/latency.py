"""Latencies of each stage, from a sample's writing to a subscriber's hands, as HDR histograms."""

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
    """When each of ``n`` samples was due, written, read, scored, published and received; 0 is what is not known.

    For a device without a journal ``due_ns`` and ``written_ns`` are all 0.
    """

    due_ns: Times
    written_ns: Times
    read_ns: Times
    scored_ns: Times
    published_ns: Times
    received_ns: Times


def sample_times(delivery: Delivery | None, scores: npt.NDArray[Any]) -> StageTimes:
    """Of every sample whose score was told: ``scores`` ``(n,)`` of SCORE_DTYPE."""
    due_ns = written_ns = np.zeros(scores.shape[0], dtype=np.int64)
    if delivery is not None:
        found = JournalLookup(delivery.journal).find(scores["device_ms"], scores["received_ns"])
        scores, found = scores[found >= 0], found[found >= 0]
        due_ns, written_ns = delivery.journal["due_ns"][found], delivery.journal["written_ns"][found]
    stages = [scores[name] for name in ("read_ns", "scored_ns", "published_ns", "received_ns")]
    return StageTimes(due_ns, written_ns, *stages)


def event_times(delivery: Delivery | None, events: Sequence[DaemonMessage]) -> StageTimes:
    """Of the samples that made ``events`` happen; those without stamps, which no sample made, are left out."""
    rows = []
    for event in events:
        stamps, device_ms = event.stamps, event.content.get("device_ms")
        if stamps.read_ns and isinstance(device_ms, int):
            rows.append((device_ms, np.nan, stamps.read_ns, stamps.scored_ns, stamps.published_ns, event.at_ns))
    return sample_times(delivery, np.array(rows, dtype=SCORE_DTYPE))


def floor_times(delivery: Delivery, told: Sequence[DaemonMessage]) -> StageTimes:
    """Of messages that came the same way without a daemon, which bear no stamps but the sample's time."""
    rows = [
        (int(message.content["device_ms"]), np.nan, 0, 0, 0, message.at_ns)
        for message in told
        if isinstance(message.content.get("device_ms"), int)
    ]
    return sample_times(delivery, np.array(rows, dtype=SCORE_DTYPE))


def joined(passages: Sequence[StageTimes]) -> StageTimes:
    """Those of several devices, one after another."""
    return StageTimes(*(np.concatenate([getattr(each, name) for each in passages]) for name in StageTimes.__slots__))


def stages_of_samples(passage: StageTimes) -> list[Latency]:
    """A histogram for each stage that samples were seen to pass, and for the whole way."""
    return _stages(
        {
            "sample: written to read": (passage.written_ns, passage.read_ns),
            "sample: read to scored": (passage.read_ns, passage.scored_ns),
            "sample: scored to published": (passage.scored_ns, passage.published_ns),
            "sample: published to received": (passage.published_ns, passage.received_ns),
            SAMPLES: (passage.written_ns, passage.received_ns),
        }
    ) + _stages({"sample: due to received": (passage.due_ns, passage.received_ns)}, corrected=True)


def stages_of_events(passage: StageTimes) -> list[Latency]:
    """The same of events; before they are published they go with their samples."""
    return _stages(
        {
            "event: scored to published": (passage.scored_ns, passage.published_ns),
            "event: published to received": (passage.published_ns, passage.received_ns),
            EVENTS: (passage.written_ns, passage.received_ns),
        }
    )


def floor_latency(stage: str, passage: StageTimes) -> list[Latency]:
    """The whole way without a daemon, under the name of the stage that it is the floor of; nothing where there was none."""
    return _stages({stage: (passage.written_ns, passage.received_ns)}, floor=True)


def histogram(stage: str, taken_us: npt.NDArray[np.float64], **about: Any) -> Latency:
    """``taken_us`` ``(n,)``, n >= 1, as a histogram of three digits; below a microsecond counts as one."""
    found = HdrHistogram(1, _LONGEST_US, _DIGITS)
    for value in np.clip(np.rint(taken_us), 1, _LONGEST_US).astype(np.int64).tolist():
        found.record_value(value)
    p50, p90, p99, p99_9 = (float(found.get_value_at_percentile(part)) for part in (50, 90, 99, 99.9))
    buckets = [
        (float(entry.value_iterated_to), int(entry.count_added_in_this_iter_step))
        for entry in found.get_log_iterator(1, 10 ** (1 / _BUCKETS_PER_DECADE))
        if entry.count_added_in_this_iter_step
    ]
    return Latency(stage, int(taken_us.size), p50, p90, p99, p99_9, float(taken_us.max()), buckets, **about)


def find_stage(latencies: Sequence[Latency], stage: str, *, floor: bool = False) -> Latency | None:
    """The histogram of that name, with the daemon or of the ``floor``, if there is one."""
    return next((each for each in latencies if each.stage == stage and each.floor is floor), None)


def _stages(between: Mapping[str, tuple[Times, Times]], **about: Any) -> list[Latency]:
    found = []
    for stage, (start_ns, end_ns) in between.items():
        known = (start_ns > 0) & (end_ns > 0)
        if known.any():
            found.append(histogram(stage, (end_ns - start_ns)[known] / _NS_PER_US, **about))
    return found

"""Shots that were to be told of against those that were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hil.measuring.delivery import Delivery
from hil.measuring.messages import DaemonMessage
from stinger.recording import split_recordings
from stinger.shots import find_shots


@dataclass(slots=True)
class ShotCounts:
    """See :data:`hil.measuring.definitions.MEASUREMENTS` for what each says. ``lost_ns`` are when the lost ones were due."""

    sent: int = 0
    accepted: int = 0
    lost: int = 0
    invented: int = 0
    repeated: int = 0
    misjudged: int = 0
    lost_ns: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Expected:
    device_ms: int
    due_ns: int
    accepted: bool
    told: bool = False


def compare_shots(delivery: Delivery, told: Sequence[DaemonMessage]) -> ShotCounts:
    """Match ``told``, the shots of one device without those that came twice, in order, with its trigger edges.

    Edges are looked for as any host would: within what was delivered over one link, from one boot.
    """
    counts = ShotCounts()
    expected = _expected(delivery, counts)
    by_time: dict[int, list[_Expected]] = {}
    for shot in expected:
        by_time.setdefault(shot.device_ms, []).append(shot)
    for message in told:
        candidates = [
            shot for shot in by_time.get(message.content.get("device_ms", -1), ()) if shot.due_ns <= message.at_ns
        ]
        fresh = [shot for shot in candidates if not shot.told]
        if fresh:
            fresh[0].told = True
            counts.misjudged += message.content.get("accepted") is not fresh[0].accepted
        elif candidates:
            counts.repeated += 1
        else:
            counts.invented += 1
    counts.lost_ns = [shot.due_ns for shot in expected if not shot.told]
    counts.sent, counts.lost = len(expected), len(counts.lost_ns)
    return counts


def _expected(delivery: Delivery, counts: ShotCounts) -> list[_Expected]:
    found = []
    for index in delivery.pieces():
        entries = delivery.journal[index]
        start = 0
        for recording in split_recordings(np.ascontiguousarray(entries["sample"])):
            shots = find_shots(recording)
            counts.accepted += int(shots.accepted.sum())
            for i, accepted in zip((start + shots.index).tolist(), shots.accepted.tolist(), strict=True):
                device_ms = int(entries["sample"]["timestamp_ms"][i])
                found.append(_Expected(device_ms, int(entries["due_ns"][i]), accepted))
            start += len(recording)
    return found


def drop_redelivered(told: Sequence[DaemonMessage]) -> tuple[list[DaemonMessage], int]:
    """``told`` without the events whose id was there before, and how many those were. Retained copies are not events."""
    seen: set[str] = set()
    first, again = [], 0
    for message in told:
        identifier = str(message.content.get("id"))
        if message.retained:
            continue
        if identifier in seen:
            again += 1
        else:
            seen.add(identifier)
            first.append(message)
    return first, again

"""Compares the shots that the daemon published with the trigger edges that the device sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hil.measuring.delivery import Delivery
from hil.measuring.messages import DaemonMessage
from stinger.recording import split_recordings
from stinger.shots import find_shots


@dataclass(frozen=True, slots=True)
class ShotCounts:
    """Counts of shots.

    :data:`hil.measuring.definitions.MEASUREMENTS` defines each. ``lost_ns``: when lost ones were due.
    """

    sent: int
    accepted: int
    lost: int
    invented: int
    repeated: int
    misjudged: int
    lost_ns: Sequence[int] = ()


@dataclass(slots=True)
class _ExpectedShot:
    device_ms: int
    due_ns: int
    accepted: bool
    published: bool = False


def compare_shots(delivery: Delivery, shots: Sequence[DaemonMessage]) -> ShotCounts:
    """Match ``shots``, the shot events of one device in order and without redelivered ones, with its trigger edges.

    A trigger edge is expected as any host would find it: between delivered samples of one link and one boot.
    """
    expected = _expected_shots(delivery)
    by_time: dict[int, list[_ExpectedShot]] = {}
    for shot in expected:
        by_time.setdefault(shot.device_ms, []).append(shot)
    invented = repeated = misjudged = 0
    for message in shots:
        candidates = [
            shot for shot in by_time.get(message.content.get("device_ms", -1), ()) if shot.due_ns <= message.at_ns
        ]
        unmatched = [shot for shot in candidates if not shot.published]
        if unmatched:
            unmatched[0].published = True
            misjudged += message.content.get("accepted") is not unmatched[0].accepted
        elif candidates:
            repeated += 1
        else:
            invented += 1
    lost_ns = [shot.due_ns for shot in expected if not shot.published]
    return ShotCounts(
        sent=len(expected),
        accepted=sum(shot.accepted for shot in expected),
        lost=len(lost_ns),
        invented=invented,
        repeated=repeated,
        misjudged=misjudged,
        lost_ns=lost_ns,
    )


def drop_redelivered(events: Sequence[DaemonMessage]) -> tuple[list[DaemonMessage], int]:
    """Return ``events`` without those whose id came before, and how many those were.

    Retained copies are dropped too.
    """
    seen: set[str] = set()
    first, redelivered = [], 0
    for event in events:
        identifier = str(event.content.get("id"))
        if event.retained:
            continue
        if identifier in seen:
            redelivered += 1
        else:
            seen.add(identifier)
            first.append(event)
    return first, redelivered


def _expected_shots(delivery: Delivery) -> list[_ExpectedShot]:
    found = []
    for index in delivery.segments():
        entries = delivery.journal[index]
        start = 0
        for recording in split_recordings(np.ascontiguousarray(entries["sample"])):
            shots = find_shots(recording)
            for i, accepted in zip((start + shots.index).tolist(), shots.accepted.tolist(), strict=True):
                device_ms = int(entries["sample"]["timestamp_ms"][i])
                found.append(_ExpectedShot(device_ms, int(entries["due_ns"][i]), accepted))
            start += len(recording)
    return found

"""Leave out the samples of a set of sessions that are in it twice, so that no split tests on what it trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from models.folds import GUARD_MS
from models.overlaps import Overlap, Readings, find_overlaps
from models.sessions import Session, cut_session
from stinger.sample import SAMPLE_RATE_HZ

GUARD_SAMPLES: Final = GUARD_MS * SAMPLE_RATE_HZ // 1000
"""Beside samples that are left out, this many more are left out too: what they hold is close to what the other session
holds."""
_PIECE_MIN: Final = SAMPLE_RATE_HZ
"""A remaining piece of fewer samples than this, a second, is left out as well."""


@dataclass(frozen=True, slots=True, eq=False)
class DistinctSessions:
    """Sessions of which no two hold the same samples, in their old order.

    ``positions`` are their indices among the sessions before; ``warnings`` is a line for each session that was changed
    or left out.
    """

    sessions: tuple[Session, ...]
    positions: tuple[int, ...]
    warnings: tuple[str, ...]


def without_repeats(sessions: Sequence[Session]) -> DistinctSessions:
    """Return ``sessions`` with each stretch of samples in one of them only.

    Where two sessions hold the same samples, whatever the names, clocks and formats of their files, the one with marks
    keeps them, else the longer one; of two that are equally long, the first. From the other one they are cut, together
    with the second before and after; so is what is marked as left out in a session. A session of which less than a
    second remains is left out.
    """
    ranked = sorted(range(len(sessions)), key=lambda i: (not _is_marked(sessions[i]), -len(sessions[i].recording)))
    # What is left out comes first, so that copies of it are found in every session.
    left_out = [(i, part) for i in ranked for part in sessions[i].left_out]
    owners = [*(i for i, _ in left_out), *ranked]
    readings = [*(part for _, part in left_out), *(readings_of(sessions[i]) for i in ranked)]
    per_sample = [*(1 for _ in left_out), *(readings_per_sample(sessions[i]) for i in ranked)]
    found: dict[int, list[Overlap]] = {}
    for overlap in find_overlaps(readings, per_sample=per_sample):
        if overlap.recording >= len(left_out):
            found.setdefault(overlap.recording, []).append(overlap)
    kept: dict[int, Session] = dict(enumerate(sessions))
    warnings: dict[int, str] = {}
    for rank, overlaps in found.items():
        position = owners[rank]
        session = sessions[position]
        repeated = _covered(overlaps, per_sample[rank], len(session.recording))
        remaining = _remaining(repeated)
        others = _by_length(overlaps)
        names = [_other_name(sessions, position, owners[other], other < len(left_out)) for other in others]
        warnings[position] = _warning(session, int(repeated.sum()), names, is_left_out=not remaining.any())
        if remaining.any():
            kept[position] = cut_session(session, remaining)
        else:
            del kept[position]
    shot_num = 0
    numbered = []
    for session in kept.values():
        numbered.append(replace(session, first_shot_num=shot_num))
        shot_num += session.accepted_shots
    return DistinctSessions(tuple(numbered), tuple(kept), tuple(line for _, line in sorted(warnings.items())))


def without_samples_of(
    own: Sequence[Session], others: Sequence[Session]
) -> tuple[tuple[Session, ...], tuple[str, ...]]:
    """Return the ``others`` that share no samples with ``own``, and a line for each that does and is left out."""
    together = [*own, *others]
    per_sample = [readings_per_sample(session) for session in together]
    sharing: set[int] = set()
    for overlap in find_overlaps([readings_of(session) for session in together], per_sample=per_sample):
        first, second = sorted((overlap.recording, overlap.other))
        if first < len(own) <= second:
            sharing.add(second - len(own))
    kept = tuple(session for position, session in enumerate(others) if position not in sharing)
    lines = tuple(
        f"left out: {others[position].name}: it shares samples with the logs to train on"
        for position in sorted(sharing)
    )
    return kept, lines


def readings_of(session: Session) -> Readings:
    """Return all readings of the sensor in ``session``: more than its samples for a capture at the full rate."""
    return session.recording.axes if session.readings is None else session.readings


def readings_per_sample(session: Session) -> int:
    """Return the number of readings for each sample of ``session``."""
    return max(1, round(len(readings_of(session)) / len(session.recording)))


def sampled_time_text(samples: int) -> str:
    """Return how long ``samples`` at 100 Hz take, for people.

    >>> sampled_time_text(250), sampled_time_text(60_000)
    ('2.5 s', '10.0 min')
    """
    seconds = samples / SAMPLE_RATE_HZ
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"  # noqa: PLR2004


def _covered(overlaps: Iterable[Overlap], per_sample: int, count: int) -> npt.NDArray[np.bool_]:
    """Return for each of ``count`` samples whether it is in one of ``overlaps``, which count readings."""
    covered = np.zeros(count, dtype=np.bool_)
    for overlap in overlaps:
        covered[overlap.start // per_sample : -(-overlap.stop // per_sample)] = True
    return covered


def _remaining(repeated: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which samples to keep: not ``repeated``, not close to those that are, and in a piece long enough."""
    remaining = np.zeros_like(repeated)
    for start, stop in _runs(~repeated):
        begin = start + GUARD_SAMPLES if start else 0
        end = stop - GUARD_SAMPLES if stop < repeated.size else stop
        if end - begin >= _PIECE_MIN:
            remaining[begin:end] = True
    return remaining


def _runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(mask)) + 1
    return [(start, stop) for start, stop in pairwise([0, *edges.tolist(), mask.size]) if mask[start]]


def _by_length(overlaps: Iterable[Overlap]) -> list[int]:
    """Return the other recordings of ``overlaps``, those that share most first."""
    length: dict[int, int] = {}
    for overlap in overlaps:
        length[overlap.other] = length.get(overlap.other, 0) + overlap.stop - overlap.start
    return sorted(length, key=lambda other: (-length[other], other))


def _warning(session: Session, repeated: int, others: Sequence[str], *, is_left_out: bool) -> str:
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    where = f"{others[0]}{more}"
    whole = sampled_time_text(len(session.recording))
    if is_left_out:
        return f"left out: {session.name}: its samples ({whole}) are also in {where}"
    return f"{session.name}: {sampled_time_text(repeated)} of its {whole} are also in {where}, and are used once"


def _is_marked(session: Session) -> bool:
    """Return whether a person marked something in ``session``."""
    return bool(session.left_out) or bool(session.shots.dismissed.any())


def _other_name(sessions: Sequence[Session], position: int, other: int, is_left_out: bool) -> str:
    """Return what to call the session ``other``, which holds samples of the one at ``position``."""
    if is_left_out:
        return f"what is marked as left out in {sessions[other].name}"
    return sessions[other].name if other != position else "itself"

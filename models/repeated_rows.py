"""Leave out the rows of a training set whose samples are in another session as well.

A split by sessions then separates them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.dataset import Dataset
from models.overlaps import CHAIN_MIN, Readings, find_overlaps, hash_readings
from stinger.wording import counted


@dataclass(frozen=True, slots=True, eq=False)
class DistinctRows:
    """A training set of which no two sessions hold the same samples; ``warnings`` is a line for each session that did."""

    dataset: Dataset
    warnings: tuple[str, ...]


def without_repeated_rows(dataset: Dataset) -> DistinctRows:
    """Return ``dataset`` without windows whose samples are in a window of another session as well.

    The session with more rows keeps them. A session of which no positive window remains is left out.
    """
    names, number, counts = np.unique(dataset.rows.session, return_inverse=True, return_counts=True)
    ranked = np.argsort(-counts, kind="stable")
    rows = [np.flatnonzero(number == one) for one in ranked]
    timelines = [_timeline(dataset, of_session) for of_session in rows]
    repeated = np.zeros(len(dataset), dtype=np.bool_)
    others: dict[int, str] = {}
    shared: list[set[int]] = [set() for _ in rows]
    for overlap in find_overlaps(timelines):
        if overlap.other != overlap.recording:
            hashes = hash_readings(timelines[overlap.recording][overlap.start : overlap.stop])
            shared[overlap.recording].update(hashes.tolist())
            others.setdefault(overlap.recording, str(names[ranked[overlap.other]]))
    warnings = []
    for rank, other in sorted(others.items()):
        mine = rows[rank]
        found = _with_shared_samples(dataset.windows[mine], shared[rank])
        repeated[mine[found]] = True
        name = str(names[ranked[rank]])
        if dataset.labels[mine].any() and not dataset.labels[mine[~found]].any():
            repeated[mine] = True
            warnings.append(f"left out: session {name}: its windows are also in {other}")
        else:
            windows = counted(int(found.sum()), "window")
            warnings.append(f"session {name}: {windows} of its {mine.size:,} are also in {other}, and are used once")
    if not repeated.any():
        return DistinctRows(dataset, ())
    kept = np.flatnonzero(~repeated)
    distinct = replace(
        dataset, windows=dataset.windows[kept], labels=dataset.labels[kept], rows=dataset.rows.take(kept)
    )
    return DistinctRows(distinct, tuple(warnings))


def _timeline(dataset: Dataset, rows: npt.NDArray[np.intp]) -> Readings:
    """Return the samples ``(m, 6)`` in the windows ``rows`` of one session in order of time, each once."""
    in_time = rows[np.argsort(dataset.rows.window_start_ms[rows], kind="stable")]
    samples = dataset.windows[in_time].reshape(-1, dataset.windows.shape[2])
    _, first = np.unique(hash_readings(samples), return_index=True)
    return samples[np.sort(first)]


def _with_shared_samples(windows: npt.NDArray[np.int16], shared: set[int]) -> npt.NDArray[np.bool_]:
    """Return for each of ``windows`` ``(n, w, 6)`` whether enough of its samples have one of the hashes ``shared``."""
    hashes = hash_readings(windows.reshape(-1, windows.shape[2]))
    known = np.isin(hashes, np.fromiter(shared, dtype=np.uint64, count=len(shared)))
    enough = min(CHAIN_MIN, windows.shape[1])
    found: npt.NDArray[np.bool_] = known.reshape(windows.shape[:2]).sum(axis=1) >= enough
    return found

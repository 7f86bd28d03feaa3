"""Read recordings and build a training set of their samples."""

from __future__ import annotations

from collections.abc import Sequence

from models.cli.log_input import distinct_sessions, open_logs
from models.cli.others_options import read_others
from models.dataset import Dataset
from models.sessions import Session
from models.stream_rows import StreamOptions, build_stream_dataset


def stream_dataset(
    paths: Sequence[str],
    options: StreamOptions,
    *,
    others: Sequence[str] = (),
    min_shot_gap_ms: float,
    rate_hz: float,
    every: int,
) -> tuple[Dataset, tuple[str, ...]]:
    """Return the training set of the logs at ``paths`` and ``others``, and the names of the sessions of ``others``.

    All may be in shared storage. Samples in several of them are
    used once.

    Prints warnings. Raises :class:`~stinger.errors.InputError` for a log that cannot be read or is too short.
    """
    logs = open_logs(paths, rate_hz=rate_hz, every=every)
    sessions = distinct_sessions(logs, min_shot_gap_ms=min_shot_gap_ms)
    of_others: tuple[Session, ...] = ()
    if others:
        of_others, more = read_others(others, sessions, min_shot_gap_ms=min_shot_gap_ms, rate_hz=rate_hz, every=every)
        logs += list(more)
    about = {
        "inputs": [{"path": log.path, "sha256": log.sha256} for log in logs],
        "min_shot_gap_ms": min_shot_gap_ms,
        "capture_rate_hz": rate_hz,
        "capture_every": every,
    }
    dataset = build_stream_dataset((*sessions, *of_others), options, about=about)
    return dataset, tuple(session.name for session in of_others)

"""Creates recordings on disk, as a daemon leaves them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from service.recording.sidecar import EndReason, Sidecar, utc_text
from service.recording.store import recording_stem, sidecar_path
from tests.helpers.samples import random_samples

NOW_S = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
DAY_S = 86_400.0


def store(
    folder: Path, device: str, age_days: float, *, samples: int = 100, closed: bool = True, sidecar: bool = True
) -> Path:
    """Create a recording of ``device`` below ``folder`` that ended ``age_days`` before ``NOW_S``; return its path."""
    ended_s = NOW_S - age_days * DAY_S
    path = folder / device / f"{recording_stem(ended_s - samples / 100)}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(random_samples(samples, seed=round(age_days * 1000) + samples).tobytes())
    os.utime(path, (ended_s, ended_s))
    if sidecar:
        end = EndReason.STOP if closed else None
        described = Sidecar(device=device, started=utc_text(ended_s), samples=samples, closed=closed, end=end)
        sidecar_path(path).write_bytes(described.to_json())
    return path

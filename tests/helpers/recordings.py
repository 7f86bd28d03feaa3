"""Creates recordings on disk, as a daemon leaves them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from service.recording.sidecar import EndReason, Sidecar
from service.recording.store import device_folder
from stinger.device_name import DeviceName
from stinger.logs.marked import sidecar_path
from stinger.recording_name import recording_stem
from stinger.sample import SampleArray
from stinger.utc import utc_text
from tests.helpers.samples import random_samples

NOW_S = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
DAY_S = 86_400.0


def write_recording(
    folder: Path, device: str, started_s: float, samples: SampleArray, *, closed: bool = True, sidecar: bool = True
) -> Path:
    """Create a recording of ``device`` below ``folder``, that of all recordings; return its path."""
    path = device_folder(folder, DeviceName(device)) / f"{recording_stem(started_s)}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(samples.tobytes())
    if sidecar:
        described = Sidecar(
            device=device,
            started=utc_text(started_s),
            samples=samples.size,
            closed=closed,
            end=EndReason.STOP if closed else None,
        )
        sidecar_path(path).write_bytes(described.to_json())
    return path


def write_old_recording(
    folder: Path, device: str, age_days: float, *, samples: int = 100, closed: bool = True, sidecar: bool = True
) -> Path:
    """Create a recording of random samples that ended ``age_days`` before :data:`NOW_S`; return its path."""
    ended_s = NOW_S - age_days * DAY_S
    recorded = random_samples(samples, seed=round(age_days * 1000) + samples)
    path = write_recording(folder, device, ended_s - samples / 100, recorded, closed=closed, sidecar=sidecar)
    os.utime(path, (ended_s, ended_s))
    return path

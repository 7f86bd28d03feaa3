"""What the page shows of the health of the installation: alarms with what to do, the disk, and versions."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from service.ops.remedies import REMEDIES
from service.recording.store import LITTLE_ROOM_BYTES, read_store
from service.web.daemon_client import DaemonClient
from stinger.errors import StingerError
from stinger.paths import recordings_dir
from stinger.quantities import size_text
from stinger.sample import SAMPLE_BYTES, SAMPLE_RATE_HZ
from stinger.wording import counted

UNKNOWN_REMEDY: Final = "This page does not know this alarm: see the daemon's log, or install a newer page."
_HOURS_PER_BYTE: Final = 1 / (SAMPLE_RATE_HZ * SAMPLE_BYTES * 3600)


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm, and what to do about it."""

    topic: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """The disk with the data folder."""

    free: int
    """Bytes; so are the next two."""
    total: int
    recordings: int
    count: int
    """Number of recordings."""
    problem: str = ""
    """Why the folder cannot be read; empty if it can."""

    @property
    def text(self) -> str:
        """The disk in a sentence or two."""
        if self.problem:
            return f"⚠ {self.problem}"
        hours = self.free * _HOURS_PER_BYTE
        few = "⚠ " if self.free < LITTLE_ROOM_BYTES else ""
        return (
            f"{few}{size_text(self.free)} of {size_text(self.total)} are free: room for {hours:,.0f} hours of one blaster. "
            f"{counted(self.count, 'recording')}: {size_text(self.recordings)}."
        )


def alarm_rows(client: DaemonClient) -> list[AlarmRow]:
    """Return the daemon's alarms, and that it or its broker is away."""
    state = client.state
    if client.problem:
        remedy = (
            "Start the daemon ('stinger run') or its broker. If it runs elsewhere, start this page with its --broker."
        )
        return [AlarmRow("broker", client.problem, remedy)]
    if state.daemon != "online":
        text = "the daemon is offline" if state.daemon else "the broker is there, but no daemon"
        return [
            AlarmRow(
                "daemon", text, "Start it: 'stinger run', or 'systemctl start stinger'. Its log says why it ended."
            )
        ]
    known = [AlarmRow(topic, text, REMEDIES.get(topic, UNKNOWN_REMEDY)) for topic, text in state.alarms.items()]
    if not known and state.alarm:  # a daemon of an earlier version
        return [AlarmRow("alarm", state.alarm, UNKNOWN_REMEDY)]
    return known


def disk_facts(data_dir: Path) -> DiskFacts:
    """Return the facts of the disk that holds ``data_dir``. Lists all recordings: not for an event loop."""
    try:
        # The daemon creates the folder when it first starts.
        existing = next((path for path in (data_dir, *data_dir.absolute().parents) if path.is_dir()), data_dir)
        usage = shutil.disk_usage(existing)
        store = read_store(recordings_dir(data_dir)).recordings
    except (OSError, StingerError) as error:
        return DiskFacts(0, 0, 0, 0, f"the data folder {data_dir} cannot be read: {error}")
    return DiskFacts(usage.free, usage.total, sum(one.bytes for one in store), len(store))


def versions(client: DaemonClient) -> dict[str, str]:
    """Return the versions in use, by the name of what has them."""
    own = _own_versions()
    daemon = client.state.version or "unknown"
    differ = " (⚠ not that of this page)" if daemon not in ("unknown", own["this page"]) else ""
    return {"daemon": f"{daemon}{differ}", **own}


@cache
def _own_versions() -> dict[str, str]:
    return {
        "this page": version("stinger-ml"),
        "NiceGUI": version("nicegui"),
        "ONNX Runtime": version("onnxruntime"),
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
    }

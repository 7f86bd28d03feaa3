"""Checks of this machine: serial ports, the data folder, and the model in it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from models.choice import CHAMPION, choose_model
from models.shared_registry import open_current_registry
from models.storage.folder import StorageFolder
from models.storage.shared_recordings import list_shared_files
from service.doctor.finding import Finding, Verdict
from service.recording.store import LITTLE_ROOM_BYTES, list_files
from service.sources.port_discovery import BlasterPort
from stinger.errors import InputError, StingerError, UnavailableError
from stinger.paths import recordings_dir
from stinger.storage_url import StorageUrl
from stinger.wording import counted

_JOIN_GROUP: Final = "sudo usermod -aG dialout $USER, and log in again"


def check_ports(blasters: Sequence[BlasterPort], others: Sequence[tuple[str, str]]) -> list[Finding]:
    """Return the serial ports.

    ``blasters`` have a blaster's USB identity; ``others`` are all, as path and description.
    """
    if not blasters:
        seen = ", ".join(path for path, _ in others) or "no serial ports at all"
        return [
            Finding(
                Verdict.NOTE,
                "blaster",
                f"none is plugged in ({seen})",
                "plug it in with a cable that carries data; an adapter is named with --port or --source serial://PORT",
            )
        ]
    return [_check_port(port) for port in blasters]


def _check_port(port: BlasterPort) -> Finding:
    if sys.platform != "win32" and not os.access(port.path, os.R_OK | os.W_OK):
        remedy = _JOIN_GROUP if sys.platform == "linux" else "close the program that uses it"
        return Finding(Verdict.PROBLEM, "blaster", f"{port.path}: permission denied", remedy)
    serial_number = f" (serial number {port.serial_number})" if port.serial_number else ""
    return Finding(Verdict.GOOD, "blaster", f"{port.path}{serial_number}")


def check_data_folder(folder: Path) -> Finding:
    """Return the state of the data folder: what it holds, whether it can be written, and the space left on its disk."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        remedy = f"make {place} writable for this user, or choose another folder with --data-dir"
        return Finding(Verdict.PROBLEM, "data folder", f"{folder}: cannot be written", remedy)
    free = shutil.disk_usage(place).free
    state = f"{free / 1e9:,.1f} GB free"
    if folder.exists():
        stored = list_files(recordings_dir(folder))
        state = f"{counted(len(stored.recordings), 'recording')}, {state}"
    else:
        state = f"made when it is first needed, {state}"
    if free < LITTLE_ROOM_BYTES:
        remedy = "delete recordings ('stinger recordings'), or limit them with keep_size in the daemon's configuration"
        return Finding(Verdict.PROBLEM, "data folder", f"{folder}: {state}", remedy)
    return Finding(Verdict.GOOD, "data folder", f"{folder}: {state}")


def check_shared_recordings(url: StorageUrl) -> Finding:
    """Return how many recordings are in the shared storage that is configured, after listing it."""
    try:
        files = list_shared_files(StorageFolder(url))
    except StingerError as error:
        remedy = "check its address, this machine's access to it, and 'pip install stinger-ml[storage]'"
        return Finding(Verdict.PROBLEM, "recordings", f"{url}: {error}", remedy)
    return Finding(Verdict.GOOD, "recordings", f"{url}: {counted(len(files.recordings), 'recording')} of all daemons")


def check_model(data_dir: Path, registry_url: StorageUrl | None = None) -> Finding:
    """Return which model the daemon would use, after opening it.

    It is that of the shared registry ``registry_url``, if there is one.
    """
    try:
        registry = open_current_registry(data_dir, registry_url)
        model = choose_model(CHAMPION, registry)
    except UnavailableError as error:
        remedy = "check the registry's address, and this machine's access to it"
        return Finding(Verdict.PROBLEM, "model", f"{registry_url}: {error}", remedy)
    except InputError as error:
        remedy = "'stinger models list' shows the others; 'stinger models rollback' returns to the champion before"
        return Finding(Verdict.PROBLEM, "model", str(error), remedy)
    if registry.champion() is None:
        remedy = "'stinger personalise' or 'stinger retrain' makes one from your own shots"
        return Finding(Verdict.NOTE, "model", "the factory model: trained on synthetic sessions only", remedy)
    whose = "the registry's champion" if registry_url is None else f"the champion of {registry_url}"
    return Finding(Verdict.GOOD, "model", f"{model.version}, {whose}")

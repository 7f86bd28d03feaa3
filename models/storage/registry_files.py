"""The files of a shared registry, as they are in the storage.

``versions/<id>/`` holds the files of a version, ``stored.json`` last: a version without it is not complete.
``changes/<number>.json`` is one change of the registry, such as a promotion. A change is made by creating the file with
the next number, which only one of several machines can do; it is never altered.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from models.storage.folder import StorageFolder, TakenError
from models.version import BLASTER_FILE, MODEL_FILE, RECORD_FILE, REPORT_FILE
from stinger.errors import InputError
from stinger.recording_name import stem_time
from stinger.storage_url import StorageUrl

VERSION_ID: Final = re.compile(r"(\d{8}T\d{6}\.\d{3}Z)-[A-Za-z0-9][A-Za-z0-9_-]{0,60}")
"""Matches the id of a version: when it was added, and a name."""

_BEGIN: Final = "begin"
"""Action of change 0: it holds a random id of the registry, and creating it shows whether the storage can create files
exclusively."""
_CHANGE: Final = re.compile(r"changes/(\d{8})\.json")
_FILES: Final = (MODEL_FILE, REPORT_FILE, BLASTER_FILE, RECORD_FILE)
_ABANDONED: Final = timedelta(hours=1)


class RegistryFiles:
    """The files of the shared registry in ``folder``. Methods raise the errors of :class:`StorageFolder`."""

    def __init__(self, folder: StorageFolder) -> None:
        self._folder = folder

    @property
    def url(self) -> StorageUrl:
        """The URL of the registry."""
        return self._folder.url

    def change_numbers(self) -> list[int]:
        """Return the numbers of all changes, the first one first."""
        names = [one.name for one in self._folder.list("changes")]
        return sorted(int(match[1]) for name in names if (match := _CHANGE.fullmatch(name)))

    def has_change(self, number: int) -> bool:
        """Return whether there is a change with this number."""
        return self._folder.find(_change_name(number)) is not None

    def read_change(self, number: int) -> dict[str, Any]:
        """Return a change; an empty one if its file is damaged."""
        try:
            entry = json.loads(self._folder.read(_change_name(number)))
        except (ValueError, RecursionError):
            return {}
        return entry if isinstance(entry, dict) else {}

    def create_change(self, number: int, entry: dict[str, Any]) -> None:
        """Add a change. Raises :class:`TakenError` if another machine has added one with this number."""
        self._folder.create(_change_name(number), json.dumps(entry).encode())

    def check_exclusive(self) -> None:
        """Raise :class:`InputError` if the storage cannot keep the changes of two machines apart."""
        for _ in range(2):
            try:
                self.create_change(0, {"action": _BEGIN, "registry": token_hex(8)})
            except TakenError:
                return
        raise InputError(
            f"{self.url}: this storage overwrites a file that was to be created only if there is none, so two machines "
            "could overwrite each other's changes: use one with conditional writes, such as AWS S3 or MinIO"
        )

    def versions(self) -> dict[str, frozenset[str]]:
        """Return the names of the files of each complete version."""
        return {one: names for one, names in self._all_versions().items() if RECORD_FILE in names}

    def reserve(self, version_id: str, model: bytes) -> bool:
        """Begin a version with its model file; return False if another machine has begun one with this id."""
        try:
            self._folder.create(f"versions/{version_id}/{MODEL_FILE}", model)
        except TakenError:
            return False
        return True

    def write(self, version_id: str, name: str, data: bytes) -> None:
        """Write a file of a version."""
        self._folder.write(f"versions/{version_id}/{name}", data)

    def download(self, version_id: str, name: str, target: Path) -> None:
        """Copy a file of a version to ``target``."""
        self._folder.download(f"versions/{version_id}/{name}", target)

    def delete(self, version_id: str) -> None:
        """Delete a version; if the process is killed meanwhile, it is not complete any more."""
        for name in reversed(_FILES):
            self._folder.delete(f"versions/{version_id}/{name}")

    def delete_abandoned(self) -> None:
        """Delete versions that were begun more than an hour ago and never completed."""
        for version_id, names in self._all_versions().items():
            added = stem_time(version_id.partition("-")[0])
            if RECORD_FILE not in names and added is not None and datetime.now(UTC) - added > _ABANDONED:
                self.delete(version_id)

    def _all_versions(self) -> dict[str, frozenset[str]]:
        versions: dict[str, frozenset[str]] = {}
        for one in self._folder.list("versions"):
            with suppress(ValueError):
                _, version_id, name = one.name.split("/")
                if VERSION_ID.fullmatch(version_id) and name in _FILES:
                    versions[version_id] = versions.get(version_id, frozenset()) | {name}
        return versions


def _change_name(number: int) -> str:
    return f"changes/{number:08d}.json"

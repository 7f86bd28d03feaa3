"""The registry: a folder with all stored models, the model in use (the champion), and a journal of all changes.

``versions/<time>-<name>/`` contains ``model.onnx``, ``report.json``, ``stored.json`` and, if the blaster can run the
model, ``model.mlmd``; ``champion`` is one line, the name of the version in use; ``journal.jsonl`` has a line for each
change. If a process is killed at any moment, each version is complete or absent, and the champion is the old or the new
one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from models.journal import Journal, path_exists
from models.version import (
    BLASTER_FILE,
    MODEL_FILE,
    RECORD_FILE,
    REPORT_FILE,
    Version,
    check_name,
    free_id,
    record_of,
)
from stinger.errors import FileError, InputError
from stinger.files import StrPath, os_errors, read_bytes, replace_path, sync_folder, write_bytes
from stinger.private_files import private_files

LOCK_TIMEOUT_S: Final = 10.0
VERSIONS_FOLDER: Final = "versions"
CHAMPION_FILE: Final = "champion"
JOURNAL_FILE: Final = "journal.jsonl"
"""Names within the folder of a registry, as the module's docstring describes them."""
_CHAMPION_MAX_BYTES: Final = 4096

UNFINISHED: Final = ".unfinished-"
"""The beginning of the name of a version's folder until the version is complete."""


class Registry:
    """The registry in ``folder``, which need not exist; it is created when something is added.

    A change waits at most ``lock_timeout_s`` for another process that changes the registry.
    """

    def __init__(self, folder: StrPath, *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self.folder = Path(folder)
        self.place = str(folder)
        """Where it is, for messages."""
        self._lock_timeout_s = lock_timeout_s
        self._journal = Journal(self.folder / JOURNAL_FILE)

    def versions(self) -> list[Version]:
        """Return every complete version, oldest first."""
        folder = self.folder / VERSIONS_FOLDER
        try:
            with os_errors(folder):
                names = sorted(
                    entry.name for entry in os.scandir(folder) if (folder / entry.name / MODEL_FILE).is_file()
                )
        except FileError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return []
            raise
        return [Version(name, folder / name) for name in names if not name.startswith(".")]

    def version(self, version_id: str) -> Version:
        """Return the version with this id. Raises :class:`InputError` if there is none."""
        for version in self.versions():
            if version.id == version_id:
                return version
        raise InputError(f"{self.place} has no model '{version_id}': see 'stinger models list'")

    def champion(self) -> Version | None:
        """Return the version in use, ``None`` if none was ever promoted.

        Raises :class:`FileError` if the champion's version was deleted, or the file that names it was deleted or
        damaged.
        """
        name = self._champion_id()
        path = self.folder / CHAMPION_FILE
        if name is None:
            promoted = self._journal.promoted(None)
            if promoted:
                raise FileError(path, f"is missing, although '{promoted[-1]}' was promoted: promote a model")
            return None
        if not name:
            raise FileError(path, "is empty: promote a model")
        try:
            return self.version(name)
        except InputError as error:
            raise FileError(path, f"names {name!r:.80}, which is not there: promote another model") from error

    def earlier_champions(self) -> list[Version]:
        """Return the versions that were champion before the one in use and still exist, the last one first.

        Versions that were rolled back are not among them. They are in the journal, so they are known even if the file
        that names the champion is damaged.
        """
        try:
            current = self._champion_id()
        except FileError:
            current = None
        existing = {version.id: version for version in self.versions()}
        promoted = reversed(self._journal.promoted(current))
        return [existing[name] for name in dict.fromkeys(promoted) if name != current and name in existing]

    def journal(self) -> list[dict[str, Any]]:
        """Return every change, oldest first, without a last line that a crash left incomplete."""
        return self._journal.entries()

    def add(
        self,
        name: str,
        model: bytes,
        report: Mapping[str, Any],
        *,
        blaster_model: bytes | None = None,
        us_per_sample: float | None = None,
    ) -> Version:
        """Store a model file; it is in use once it is promoted. Raises :class:`InputError` for an invalid name.

        With ``us_per_sample``, measured by :func:`models.trial.try_model`, it need not be tried when it is opened.
        """
        check_name(name)
        self._create_folder()
        with self._locked():
            versions = self.folder / VERSIONS_FOLDER
            versions.mkdir(exist_ok=True)
            self._sweep(versions)
            version_id = free_id(versions, name)
            aside = versions / f"{UNFINISHED}{version_id}"
            aside.mkdir()
            write_bytes(aside / MODEL_FILE, model)
            write_bytes(aside / REPORT_FILE, (json.dumps(dict(report), indent=2) + "\n").encode())
            write_bytes(aside / RECORD_FILE, record_of(model, us_per_sample).to_json())
            if blaster_model is not None:
                write_bytes(aside / BLASTER_FILE, blaster_model)
            replace_path(aside, versions / version_id)
            sync_folder(versions)
            self._journal.add("add", {"version": version_id})
        return Version(version_id, self.folder / VERSIONS_FOLDER / version_id)

    def promote(self, version_id: str, *, why: str, instead_of: str | None = None) -> Version:
        """Make a version the champion. Raises :class:`InputError` if there is no such version.

        With ``instead_of``, it is also raised unless that version is the champion now.
        """
        with self._locked():
            self._check_champion(instead_of)
            version = self.version(version_id)
            self._set_champion("promote", version, why)
        return version

    def keep_trial(self, version: Version, model: bytes, us_per_sample: float) -> None:
        """Store that the model file ``model`` of ``version`` was tried, so that it need not be tried again."""
        with self._locked():
            write_bytes(version.folder / RECORD_FILE, record_of(model, us_per_sample).to_json())

    def roll_back(self, *, why: str) -> Version:
        """Make the champion's predecessor the champion again; repeat to go back further.

        Raises :class:`InputError` if there is no predecessor, or if it was deleted.
        """
        with self._locked():
            version = self._version_to_roll_back_to()
            self._set_champion("rollback", version, why)
        return version

    def note(self, action: str, values: Mapping[str, Any]) -> None:
        """Add a line with ``values`` to the journal, about an action that changed no model."""
        self._create_folder()
        with self._locked():
            self._journal.add(action, values)

    def rolled_back_versions(self) -> list[Version]:
        """Return the versions that were rolled back since the last promotion and still exist."""
        rolled_back = self._journal.rolled_back()
        return [version for version in self.versions() if version.id in rolled_back]

    def prune(self, *, keep: int) -> list[Version]:
        """Delete all but the newest ``keep`` versions, the champion and its predecessor; return the deleted ones."""
        with self._locked():
            to_delete = self._versions_to_prune(keep)
            for version in to_delete:
                # Renamed first, in one step: a kill during the deletion leaves no incomplete version in the list.
                aside = version.folder.with_name(f"{UNFINISHED}{version.id}")
                replace_path(version.folder, aside)
                shutil.rmtree(aside)
                self._journal.add("prune", {"version": version.id})
        return to_delete

    def _versions_to_prune(self, keep: int) -> list[Version]:
        """Return all but the newest ``keep`` versions, the champion and its predecessor."""
        champion = self._champion_id()
        needed = {champion, *self._journal.promoted(champion)[-2:]}
        versions = self.versions()
        newest = versions[max(0, len(versions) - keep) :]
        return [version for version in versions if version not in newest and version.id not in needed]

    def _check_champion(self, expected: str | None) -> None:
        """Raise :class:`InputError` if ``expected`` is given, and is not the champion."""
        if expected is not None and self._champion_id() != expected:
            raise InputError(f"{expected} is no longer the champion: another model was promoted meanwhile")

    def _version_to_roll_back_to(self) -> Version:
        """Return the previous champion. Raises :class:`InputError` if there is none, or if it was deleted."""
        predecessor = self._predecessor()
        if predecessor is None:
            raise InputError(f"{self.place} has no earlier champion to go back to")
        return self.version(predecessor)

    def _set_champion(self, action: str, version: Version, why: str) -> None:
        before = self._champion_before()
        entry = {"from": before, "to": version.id, "why": why}
        champion = f"{version.id}\n".encode()
        if before is None:
            # The first champion is written before its entry: the journal thus names a champion only if there was one,
            # so that a missing file is noticed. The next entry has this champion as its predecessor.
            write_bytes(self.folder / CHAMPION_FILE, champion)
            self._journal.add(action, entry)
        else:
            # The journal is written first: an entry whose change did not happen is ignored later, but a champion
            # without an entry could not be rolled back.
            self._journal.add(action, entry)
            write_bytes(self.folder / CHAMPION_FILE, champion)

    def _champion_id(self) -> str | None:
        """Return the content of the file that names the champion; ``None`` if there is no such file."""
        path = self.folder / CHAMPION_FILE
        if not path_exists(path):
            return None
        return read_bytes(path, at_most=_CHAMPION_MAX_BYTES).decode("utf-8", errors="replace").strip()

    def _champion_before(self) -> str | None:
        """Return the champion's id: that of the journal if the file that names it is damaged; ``None`` without any."""
        try:
            current = self._champion_id()
        except FileError:
            current = ""
        if (
            current is None
            or current in self._journal.promoted(current)
            or any(v.id == current for v in self.versions())
        ):
            return current
        promoted = self._journal.promoted(None)
        return promoted[-1] if promoted else None

    def _predecessor(self) -> str | None:
        """Return the id of the previous champion."""
        stack = self._journal.promoted(self._champion_id())
        return stack[-2] if len(stack) > 1 else None

    def _sweep(self, versions: Path) -> None:
        """Remove incomplete versions of a killed process. The caller holds the lock."""
        for entry in versions.iterdir():
            if entry.name.startswith(UNFINISHED):
                shutil.rmtree(entry, ignore_errors=True)

    def _create_folder(self) -> None:
        with os_errors(self.folder), private_files(self.folder.parent):
            self.folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from changing the registry.

        Raises :class:`InputError` if it does not exist or is busy.
        """
        if not self.folder.is_dir():
            raise InputError(f"{self.place} contains no model yet")
        with private_files(self.folder.parent):
            yield from self._hold_lock()

    def _hold_lock(self) -> Iterator[None]:
        lock = FileLock(self.folder / "lock", timeout=self._lock_timeout_s)
        try:
            with os_errors(self.folder):
                try:
                    lock.acquire()
                except Timeout as error:  # also an OSError, but not an error of the file system
                    message = f"{self.place} is being changed by another process: try again later"
                    raise InputError(message) from error
        except NotImplementedError as error:
            raise InputError(f"{self.folder} is on a file system without locks: use another --data-dir") from error
        try:
            yield
        finally:
            lock.release()

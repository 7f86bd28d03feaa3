"""A registry in shared storage. Several machines use it, and each keeps a local copy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from models.journal import CHAMPION_CHANGES
from models.registry import CHAMPION_FILE, JOURNAL_FILE, LOCK_TIMEOUT_S, UNFINISHED, VERSIONS_FOLDER, Registry
from models.storage.folder import StorageFolder, TakenError
from models.storage.registry_files import VERSION_ID, RegistryFiles
from models.version import BLASTER_FILE, MODEL_FILE, RECORD_FILE, REPORT_FILE, Version, check_name, free_id, record_of
from stinger.errors import FileError, InputError
from stinger.files import os_errors, read_bytes, replace_path, write_bytes
from stinger.paths import registry_dir
from stinger.storage_url import StorageUrl

_ATTEMPTS: Final = 20
_NUMBER: Final = "number"
"""Key of a change's number in the journal of the copy."""


def open_registry(data_dir: Path, url: StorageUrl | None) -> Registry:
    """Return the registry in ``data_dir``; with ``url`` the shared one there, whose copy is in ``data_dir``.

    Nothing is read from shared storage: see :meth:`SharedRegistry.pull`.
    """
    if url is None:
        return Registry(registry_dir(data_dir))
    name = f"shared-registry-{sha256(url.text.encode()).hexdigest()[:8]}"
    return SharedRegistry(StorageFolder(url), data_dir / name)


def open_current_registry(data_dir: Path, url: StorageUrl | None) -> Registry:
    """Return the same registry as :func:`open_registry`, up to date. Raises what :meth:`SharedRegistry.pull` does."""
    registry = open_registry(data_dir, url)
    if isinstance(registry, SharedRegistry):
        registry.pull()
    return registry


class SharedRegistry(Registry):
    """The registry in ``storage``, with a copy in the local folder ``folder``.

    Queries answer from the copy, which :meth:`pull` brings up to date. Commands change the storage, and then the copy;
    they raise the errors of :class:`StorageFolder` as well, such as :class:`~stinger.errors.UnavailableError` if the
    storage cannot be reached.
    """

    def __init__(self, storage: StorageFolder, folder: Path, *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
        super().__init__(folder, lock_timeout_s=lock_timeout_s)
        self.url = storage.url
        self.place = storage.url.text
        self._files = RegistryFiles(storage)
        self._last_pulled: int | None = None
        """Number of the last change of the copy; ``None`` before the first :meth:`pull`."""

    def pull(self) -> None:
        """Bring the copy up to date: changes, versions, and last the champion.

        Versions are checked by their hashes. Raises :class:`FileError` for one that is damaged or not complete; the
        others are in the copy then, and the champion stays as it was if it is that one.
        """
        self._create_folder()
        with self._locked():
            self._pull()

    def pull_if_changed(self) -> bool:
        """Call :meth:`pull` if there is a change that the copy does not have; return whether there was one."""
        if self._last_pulled is not None and not self._files.has_change(self._last_pulled + 1):
            return False
        self.pull()
        return True

    def add(
        self,
        name: str,
        model: bytes,
        report: Mapping[str, Any],
        *,
        blaster_model: bytes | None = None,
        us_per_sample: float | None = None,
    ) -> Version:
        """Store a model file, as :meth:`Registry.add` does."""
        check_name(name)
        with self._changing():
            versions = self.folder / VERSIONS_FOLDER
            while not self._files.reserve(version_id := free_id(versions, name), model):
                pass
            self._files.write(version_id, REPORT_FILE, (json.dumps(dict(report), indent=2) + "\n").encode())
            if blaster_model is not None:
                self._files.write(version_id, BLASTER_FILE, blaster_model)
            self._files.write(version_id, RECORD_FILE, record_of(model, us_per_sample).to_json())
            self._change(lambda: ("add", {"version": version_id}))
        return self.version(version_id)

    def promote(self, version_id: str, *, why: str, instead_of: str | None = None) -> Version:
        """Make a version the champion, as :meth:`Registry.promote` does; simultaneous promotions are put in order."""

        def entry() -> tuple[str, Mapping[str, Any]]:
            self._check_champion(instead_of)
            return "promote", self._champion_entry(self.version(version_id), why)

        with self._changing():
            self._change(entry)
            return self.version(version_id)

    def roll_back(self, *, why: str) -> Version:
        """Make the champion's predecessor the champion again, as :meth:`Registry.roll_back` does."""
        with self._changing():
            self._change(lambda: ("rollback", self._champion_entry(self._version_to_roll_back_to(), why)))
            champion = self.champion()
        assert champion is not None
        return champion

    def keep_trial(self, version: Version, model: bytes, us_per_sample: float) -> None:
        """Store that a model was tried, as :meth:`Registry.keep_trial` does."""
        record = record_of(model, us_per_sample).to_json()
        with self._changing():
            self._files.write(version.id, RECORD_FILE, record)
            write_bytes(version.folder / RECORD_FILE, record)

    def note(self, action: str, values: Mapping[str, Any]) -> None:
        """Add an entry about an action that changed no model."""
        with self._changing():
            self._change(lambda: (action, values))

    def prune(self, *, keep: int) -> list[Version]:
        """Delete old versions, as :meth:`Registry.prune` does, and those that were never completed."""
        with self._changing():
            to_delete = self._versions_to_prune(keep)
            for version in to_delete:
                self._files.delete(version.id)
                entry = {"version": version.id}
                self._change(lambda entry=entry: ("prune", entry))  # type: ignore[misc] # a default that mypy cannot infer
            self._files.delete_abandoned()
        return to_delete

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock of the copy, and bring the copy up to date first."""
        self._create_folder()
        with self._locked():
            self._files.check_exclusive()
            self._pull()
            yield

    def _change(self, entry: Callable[[], tuple[str, Mapping[str, Any]]]) -> None:
        """Add the change that ``entry`` returns.

        It is called again, with the copy up to date, if another came first.
        """
        for _ in range(_ATTEMPTS):
            action, values = entry()
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            assert self._last_pulled is not None
            try:
                self._files.create_change(self._last_pulled + 1, {"time": now, "action": action, **values})
            except TakenError:
                self._pull()
            else:
                self._pull()
                return
        raise InputError(f"{self.url} is being changed by other machines all the time: try again later")

    def _champion_entry(self, version: Version, why: str) -> dict[str, Any]:
        record = version.record()
        digest = None if record is None else record.sha256
        return {"from": _promoted_last(self._journal.entries()), "to": version.id, "why": why, "sha256": digest}

    def _pull(self) -> None:
        """Bring the copy up to date; the caller holds the lock."""
        entries = self._read_changes()
        champion, stored = _promoted_last(entries), self._files.versions()
        versions = self.folder / VERSIONS_FOLDER
        versions.mkdir(exist_ok=True)
        self._sweep(versions)
        problems: list[FileError] = []
        for version_id in sorted(stored, key=lambda one: one != champion):
            if not (versions / version_id / MODEL_FILE).is_file():
                try:
                    self._download(version_id, stored[version_id], entries)
                except FileError as error:
                    problems.append(error)
        there = champion is not None and (versions / champion / MODEL_FILE).is_file()
        if champion is not None and not there and champion not in stored:
            problems.insert(0, FileError(f"{self.url}/versions/{champion}", "is the champion, but is missing"))
        self._write_copy(entries, champion if there else None)
        current = _current_versions(entries)
        for version in self.versions():
            if version.id not in (*stored, *current, self._id_in_copy()):
                shutil.rmtree(version.folder, ignore_errors=True)
        if problems:
            raise problems[0]

    def _read_changes(self) -> list[dict[str, Any]]:
        """Return all changes, those that the copy lacks from the storage."""
        entries = self._journal.entries()
        known = {entry[_NUMBER]: entry for entry in entries if isinstance(entry.get(_NUMBER), int)}
        numbers = self._files.change_numbers()
        if known and not numbers:
            raise FileError(
                self.url.text, "is empty, though there was a registry: deleted, or not mounted? The copy stays"
            )
        if set(known) - set(numbers) or (known and known.get(0) != {**self._files.read_change(0), _NUMBER: 0}):
            known = {}  # the registry was deleted, and another one begun
        for number in numbers:
            if number not in known:
                known[number] = {**self._files.read_change(number), _NUMBER: number}
        return [known[number] for number in sorted(known)]

    def _write_copy(self, entries: list[dict[str, Any]], champion: str | None) -> None:
        """Write the journal, and the ``champion`` if it can be used.

        The first champion is written before the journal, as by :class:`Registry`: a journal that names a champion shows
        that there must be one.
        """
        before = self._id_in_copy()
        name = None if champion in (None, before) else f"{champion}\n".encode()
        if name is not None and before is None:
            write_bytes(self.folder / CHAMPION_FILE, name)
        if entries != self._journal.entries():
            write_bytes(self.folder / JOURNAL_FILE, b"".join(json.dumps(one).encode() + b"\n" for one in entries))
        if name is not None and before is not None:
            write_bytes(self.folder / CHAMPION_FILE, name)
        self._last_pulled = max((entry[_NUMBER] for entry in entries), default=0)

    def _id_in_copy(self) -> str | None:
        """Return the champion of the copy; ``None`` if the file that names it is missing or damaged."""
        try:
            return self._champion_id()
        except FileError:
            return None

    def _download(self, version_id: str, names: frozenset[str], entries: list[dict[str, Any]]) -> None:
        """Copy a version. Raises :class:`FileError` if its model file is not the one that ``entries`` and its record name."""
        versions = self.folder / VERSIONS_FOLDER
        aside = versions / f"{UNFINISHED}{version_id}"
        with os_errors(aside):
            aside.mkdir()
        try:
            for name in names:
                self._files.download(version_id, name, aside / name)
            self._check_hash(version_id, aside, entries)
            with os_errors(versions):
                replace_path(aside, versions / version_id)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _check_hash(self, version_id: str, folder: Path, entries: list[dict[str, Any]]) -> None:
        digest = sha256(read_bytes(folder / MODEL_FILE)).hexdigest()
        record = Version(version_id, folder).record()
        known = [] if record is None else [record.sha256]
        known += [entry["sha256"] for entry in entries if entry.get("to") == version_id and entry.get("sha256")]
        if any(one != digest for one in known):
            url = self.url / f"versions/{version_id}/{MODEL_FILE}"
            raise FileError(url.text, "is not the model file that was stored: its hash differs")


def _promoted_last(entries: list[dict[str, Any]]) -> str | None:
    """Return the id of the champion according to the changes ``entries``; ``None`` if none was ever promoted."""
    for entry in reversed(entries):
        to = entry.get("to")
        if entry.get("action") in CHAMPION_CHANGES and isinstance(to, str) and VERSION_ID.fullmatch(to):
            return to
    return None


def _current_versions(entries: list[dict[str, Any]]) -> set[str]:
    """Return the ids of the versions that were added and not pruned, according to the changes ``entries``."""
    ids = {
        action: {str(one.get("version")) for one in entries if one.get("action") == action}
        for action in ("add", "prune")
    }
    return ids["add"] - ids["prune"]

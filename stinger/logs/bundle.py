"""A bundle: one file with several recordings, to pass on.

It holds samples, and nothing about who made them, where or when.

It is a zip archive of a manifest and of plain 17-byte records, a file for each recording, whose times start at 0.
Reading trusts nothing in it: sizes are checked before anything is unpacked, and names in it are never used as paths.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO, Final

import numpy as np

from stinger.errors import FileError
from stinger.files import StrPath
from stinger.marks import Marks, parse_marks
from stinger.recording import Recording
from stinger.sample import CLOCK_WRAP_MS, SAMPLE_BYTES, SAMPLE_DTYPE, SampleArray
from stinger.shots import find_shots
from stinger.wording import quoted

MANIFEST: Final = "stinger-bundle.json"
SCHEMA: Final = 1
RECORDINGS_MAX: Final = 10_000
SAMPLES_MAX: Final = 18_000_000
"""Of all recordings in a bundle together: 50 hours, 306 MB."""

_MANIFEST_BYTES_MAX: Final = 16_000_000
_FILE_MAGIC: Final = b"PK\x03\x04"
_NAME_AT: Final = 30
"""The byte at which the name of the first file begins."""
_END: Final = struct.Struct("<4s4H2LH")
_END_MAGIC: Final = b"PK\x05\x06"
_END64_MAGIC: Final = b"PK\x06\x07"
_END64_BYTES: Final = 20
_DIRECTORY_BYTES_MAX: Final = 200 * (RECORDINGS_MAX + 1)
"""Larger directories are refused unread: each entry takes several times its size in memory."""
_ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,  # a compression or a version that Python does not know
    OSError,
    OverflowError,
    RuntimeError,  # encrypted
    struct.error,
    ValueError,
)
_MARKS: Final = "marks"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The time of all files in the archive: the earliest that the format can hold."""


@dataclass(frozen=True, slots=True)
class BundledRecording:
    """A line of the manifest."""

    samples: int
    rate_hz: float | None
    shots: int
    """Trigger edges."""
    notes: tuple[str, ...] = ()
    marks: Marks = field(default_factory=Marks)


@dataclass(frozen=True, slots=True, eq=False)
class UnpackedRecording:
    """A recording as it is read from a bundle: its samples ``(n,)`` and its marks."""

    samples: SampleArray
    marks: Marks


def relative_samples(recording: Recording) -> SampleArray:
    """Return the samples of ``recording`` as they are in a bundle: their times start at 0."""
    samples = recording.samples.copy()
    samples["timestamp_ms"] = (recording.time_ms - recording.time_ms[0]) % CLOCK_WRAP_MS
    return samples


def describe_recording(recording: Recording, marks: Marks, notes: tuple[str, ...] = ()) -> BundledRecording:
    """Return the line of the manifest for ``recording``."""
    return BundledRecording(
        samples=len(recording),
        rate_hz=None if recording.rate_hz is None else round(recording.rate_hz, 3),
        shots=len(find_shots(recording)),
        notes=notes,
        marks=marks,
    )


class BundleWriter:
    """Writes a bundle to ``file``: first the manifest of ``recordings``, then the samples of each in the same order."""

    def __init__(self, file: BinaryIO, recordings: Sequence[BundledRecording]) -> None:
        self._recordings = tuple(recordings)
        self._next = 0
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self._write(MANIFEST, json.dumps(_manifest(self._recordings), indent=1, ensure_ascii=True).encode() + b"\n")

    def add(self, samples: SampleArray) -> None:
        """Add the samples ``(n,)`` of the next recording; their number must be that in the manifest."""
        expected = self._recordings[self._next].samples
        if samples.size != expected:
            raise ValueError(f"recording {self._next + 1} has {samples.size} samples, the manifest {expected}")
        self._write(_file_name(self._next), samples.astype(SAMPLE_DTYPE, copy=False).tobytes())
        self._next += 1

    def close(self) -> None:
        """Write the directory of the archive; all recordings must have been added."""
        if self._next < len(self._recordings):
            raise ValueError(f"only {self._next} of {len(self._recordings)} recordings were added")
        self._archive.close()

    def _write(self, name: str, data: bytes) -> None:
        entry = zipfile.ZipInfo(name, _EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.create_system = 3  # the same bytes on every system
        entry.external_attr = 0o600 << 16
        self._archive.writestr(entry, data)


def is_bundle(data: bytes) -> bool:
    """Return whether ``data`` is a bundle, also one whose end is cut off: a zip archive with a manifest."""
    name = MANIFEST.encode()
    return data.startswith(_FILE_MAGIC) and (data.startswith(name, _NAME_AT) or name in data[-_DIRECTORY_BYTES_MAX:])


def read_bundle(data: bytes, path: StrPath) -> list[UnpackedRecording]:
    """Return the recordings in a bundle, in its order.

    Raises :class:`FileError` for a bundle that is damaged, of a newer version, or larger than a bundle may be.
    """
    _check_directory(data, path)
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return _read(archive, path)
    except FileError:
        raise
    except _ZIP_ERRORS as error:
        raise FileError(path, f"is a damaged bundle of recordings ({quoted(str(error))})") from error


def _read(archive: zipfile.ZipFile, path: StrPath) -> list[UnpackedRecording]:
    sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    if sizes[MANIFEST] > _MANIFEST_BYTES_MAX:
        raise FileError(path, f"is too large: {sizes[MANIFEST]:,} bytes", place=MANIFEST)
    recordings = _parse_manifest(archive.read(MANIFEST), path)
    for name, (count, _) in recordings.items():
        if sizes[name] != count * SAMPLE_BYTES:
            raise FileError(path, f"holds {sizes[name]:,} bytes, {count:,} samples expected", place=quoted(name))
    return [
        UnpackedRecording(_parse_samples(archive.read(name), path, name), marks)
        for name, (_, marks) in recordings.items()
    ]


def _check_directory(data: bytes, path: StrPath) -> None:
    """Raise :class:`FileError` if the archive has no end, or a directory that would take much memory to read."""
    end = data[-_END.size :]
    if len(end) < _END.size or not end.startswith(_END_MAGIC):
        raise FileError(path, "is a bundle of recordings that is cut off or damaged: its end is missing")
    directory_bytes = _END.unpack(end)[5]
    if data[-_END.size - _END64_BYTES :].startswith(_END64_MAGIC) or directory_bytes > _DIRECTORY_BYTES_MAX:
        raise FileError(path, f"is larger than a bundle of recordings may be ({RECORDINGS_MAX:,} recordings)")


def _parse_manifest(data: bytes, path: StrPath) -> dict[str, tuple[int, Marks]]:
    """Return the number of samples and the marks of each file that the manifest lists."""
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FileError(path, "is not JSON", place=MANIFEST) from error
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise FileError(path, "has no schema version", place=MANIFEST)
    if schema > SCHEMA:
        raise FileError(path, f"has schema {schema}, this program reads {SCHEMA}: upgrade stinger-ml", place=MANIFEST)
    found: dict[str, tuple[int, Marks]] = {}
    listed = manifest.get("recordings")
    for entry in listed if isinstance(listed, list) else ():
        name, count = (entry.get("file"), entry.get("samples")) if isinstance(entry, dict) else (None, None)
        if (
            not isinstance(name, str)
            or name in found
            or isinstance(count, bool)
            or not isinstance(count, int)
            or count < 1
        ):
            raise FileError(path, f"recording {len(found) + 1} has no file of its own with samples", place=MANIFEST)
        try:
            marks = parse_marks(entry.get(_MARKS, {}))
        except ValueError as error:
            raise FileError(path, f"recording {len(found) + 1}: {error}", place=MANIFEST) from error
        found[name] = count, marks
    if not found:
        raise FileError(path, "lists no recordings", place=MANIFEST)
    samples = sum(count for count, _ in found.values())
    if len(found) > RECORDINGS_MAX or samples > SAMPLES_MAX:
        raise FileError(
            path,
            f"lists {samples:,} samples in {len(found):,} recordings; a bundle may have "
            f"{SAMPLES_MAX:,} in {RECORDINGS_MAX:,}",
            place=MANIFEST,
        )
    return found


def _parse_samples(data: bytes, path: StrPath, name: str) -> SampleArray:
    samples = np.frombuffer(data, dtype=SAMPLE_DTYPE)
    wrong = np.flatnonzero(samples["trigger"] > 1)
    if wrong.size:
        at = int(wrong[0])
        raise FileError(path, f"the trigger of sample {at} is {samples['trigger'][at]}, not 0 or 1", place=quoted(name))
    return samples


def _manifest(recordings: Sequence[BundledRecording]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "content": "Recordings of a Stinger blaster. Each file holds 17-byte sample records; times start at 0.",
        "samples": sum(recording.samples for recording in recordings),
        "shots": sum(recording.shots for recording in recordings),
        "recordings": [
            {
                "file": _file_name(number),
                "samples": recording.samples,
                "rate_hz": recording.rate_hz,
                "shots": recording.shots,
                **({"notes": list(recording.notes)} if recording.notes else {}),
                **({_MARKS: recording.marks.to_json()} if recording.marks else {}),
            }
            for number, recording in enumerate(recordings)
        ],
    }


def _file_name(number: int) -> str:
    return f"{number + 1:05d}.bin"

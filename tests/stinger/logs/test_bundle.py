"""Bundles: written, read by every reader of logs, and refused in one line when they are not what they claim to be."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stinger.errors import FileError
from stinger.logs import LogFormat, parse_log, read_log, write_log
from stinger.logs.bundle import MANIFEST, SAMPLES_MAX, BundledRecording, BundleWriter, relative_samples
from stinger.recording import split_recordings
from stinger.sample import SAMPLE_BYTES, SampleArray
from tests.helpers.synthetic import synthetic_samples


def bundle(*parts: SampleArray, notes: tuple[str, ...] = ()) -> bytes:
    file = BytesIO()
    writer = BundleWriter(file, [BundledRecording(part.size, 100.0, 3, notes) for part in parts])
    for part in parts:
        writer.add(part)
    writer.close()
    return file.getvalue()


def parts(count: int = 3) -> list[SampleArray]:
    return [synthetic_samples(700 + 300 * seed, 4, seed=seed) for seed in range(count)]


def rezipped(
    data: bytes, change: Callable[[str, bytes], bytes | None], *, extra: dict[str, bytes] | None = None
) -> bytes:
    """Return the archive ``data`` packed again, each file changed, or left out for None."""
    file = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in reversed(old.namelist()):
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
        for name, content in (extra or {}).items():
            new.writestr(name, content)
    return file.getvalue()


def with_manifest(data: bytes, **values: Any) -> bytes:
    def change(name: str, content: bytes) -> bytes:
        return json.dumps(json.loads(content) | values).encode() if name == MANIFEST else content

    return rezipped(data, change)


def test_recordings_are_read_as_they_were_written() -> None:
    log = parse_log(bundle(*parts()), "mine.zip")
    assert log.format is LogFormat.BUNDLE
    assert log.repairs.messages() == []
    for found, part in zip(log.recordings, parts(), strict=True):
        np.testing.assert_array_equal(found.samples, part)
    np.testing.assert_array_equal(log.samples, np.concatenate(parts()))


def test_same_recordings_give_the_same_bytes() -> None:
    assert bundle(*parts()) == bundle(*parts())


def test_times_begin_at_zero_and_pauses_stay() -> None:
    samples = synthetic_samples(900, 3, gaps=2)
    samples["timestamp_ms"] += 2**32 - 3000  # the clock wraps within it
    (recording,) = split_recordings(samples)
    relative = relative_samples(recording)
    assert relative["timestamp_ms"][0] == 0
    np.testing.assert_array_equal(np.diff(relative["timestamp_ms"].astype(np.int64)), np.diff(recording.time_ms))
    assert samples["timestamp_ms"][0] == 2**32 - 3000


def test_archive_holds_nothing_but_samples_and_counts() -> None:
    with zipfile.ZipFile(BytesIO(bundle(*parts(2)))) as archive:
        assert archive.namelist() == [MANIFEST, "00001.bin", "00002.bin"]
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        manifest = json.loads(archive.read(MANIFEST))
        assert set(manifest) == {"schema", "content", "samples", "shots", "recordings"}
        assert manifest["recordings"][1] == {"file": "00002.bin", "samples": 1000, "rate_hz": 100.0, "shots": 3}


def test_archive_packed_again_by_another_program_is_read() -> None:
    again = rezipped(bundle(*parts()), lambda _, content: content, extra={"__MACOSX/x": b"x", "../../evil.bin": b"y"})
    assert len(parse_log(again, "mine.zip").recordings) == 3


def test_conversion_keeps_each_recording(tmp_path: Path) -> None:
    relative = [relative_samples(split_recordings(part)[0]) for part in parts()]
    for name in ("all.bin", "all.csv"):
        write_log(tmp_path / name, parse_log(bundle(*relative), "mine.zip").samples)
        found = read_log(tmp_path / name)
        assert [len(recording) for recording in found.recordings] == [700, 1000, 1300]
        assert found.repairs.messages() == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: bundle(*parts())[:-30], "that is cut off or damaged: its end is missing"),
        (lambda: bundle(*parts())[:500], "that is cut off or damaged: its end is missing"),
        (lambda: with_manifest(bundle(*parts()), schema=2), "has schema 2, this program reads 1: upgrade"),
        (lambda: with_manifest(bundle(*parts()), schema="1"), "has no schema version"),
        (lambda: with_manifest(bundle(*parts()), recordings=[]), "lists no recordings"),
        (lambda: with_manifest(bundle(*parts()), recordings=7), "lists no recordings"),
        (lambda: with_manifest(bundle(*parts()), recordings=[[]]), "recording 1 has no file of its own"),
        (
            lambda: with_manifest(bundle(*parts()), recordings=[{"file": "00001.bin", "samples": 700}] * 2),
            "recording 2 has no file of its own",
        ),
        (
            lambda: with_manifest(bundle(*parts()), recordings=[{"file": "00001.bin", "samples": True}]),
            "recording 1 has no file of its own",
        ),
        (
            lambda: with_manifest(bundle(*parts()), recordings=[{"file": "00001.bin", "samples": 701}]),
            "'00001.bin': holds 11,900 bytes, 701 samples expected",
        ),
        (
            lambda: with_manifest(bundle(*parts()), recordings=[{"file": "../\x1b[2Jx", "samples": 7}]),
            "is a damaged bundle of recordings",
        ),
        (
            lambda: with_manifest(bundle(*parts()), recordings=[{"file": "00001.bin", "samples": SAMPLES_MAX + 1}]),
            "a bundle may have 18,000,000 in 10,000",
        ),
        (
            lambda: rezipped(bundle(*parts()), lambda name, data: b"\xff" * len(data) if name != MANIFEST else data),
            "the trigger of sample 0 is 255, not 0 or 1",
        ),
        (lambda: rezipped(bundle(*parts()), lambda name, data: b"{" if name == MANIFEST else data), "is not JSON"),
        (
            lambda: rezipped(bundle(*parts()), lambda name, data: b"[" * 100_000 if name == MANIFEST else data),
            "is not JSON",
        ),
        (
            lambda: rezipped(bundle(*parts()), lambda name, data: None if name == "00002.bin" else data),
            "is a damaged bundle of recordings",
        ),
    ],
)
def test_what_is_no_sound_bundle_is_one_line_that_names_the_place(data: Callable[[], bytes], says: str) -> None:
    with pytest.raises(FileError) as raised:
        parse_log(data(), "mine.zip")
    message = str(raised.value)
    assert says in message
    assert message.startswith("mine.zip: ")
    assert message.isprintable()


def test_another_zip_is_refused_as_before() -> None:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("ml_log.bin", synthetic_samples(500, 2).tobytes())
    with pytest.raises(FileError, match=r"is compressed \(zip\): unpack it first"):
        parse_log(file.getvalue(), "other.zip")


def test_archive_that_would_unpack_to_more_than_it_lists_is_not_unpacked() -> None:
    bomb = rezipped(bundle(*parts(1)), lambda name, data: bytes(200_000_000) if name != MANIFEST else data)
    assert len(bomb) < 300_000
    with pytest.raises(FileError, match="holds 200,000,000 bytes, 700 samples expected"):
        parse_log(bomb, "bomb.zip")


def test_directory_of_a_million_files_is_not_read() -> None:
    data = bytearray(bundle(*parts(1)))
    data[-10:-6] = struct.pack("<L", 60_000_000)
    with pytest.raises(FileError, match="is larger than a bundle of recordings may be"):
        parse_log(bytes(data), "mine.zip")


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_bundle_is_read_or_refused_in_one_line(data: st.DataObject) -> None:
    damaged = bytearray(bundle(*parts(2), notes=("a note",)))
    near_end = st.integers(len(damaged) - 300, len(damaged) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.one_of(st.integers(0, len(damaged) - 1), near_end, st.integers(0, 200)))
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        assert parse_log(bytes(damaged), "mine.zip").samples.size
    except FileError as refused:
        error = refused
    else:
        return
    assert "\n" not in str(error)


def test_writer_refuses_samples_that_the_manifest_does_not_list() -> None:
    writer = BundleWriter(BytesIO(), [BundledRecording(700, 100.0, 3)])
    with pytest.raises(ValueError, match="recording 1 has 300 samples, the manifest 700"):
        writer.add(parts(1)[0][:300])
    with pytest.raises(ValueError, match="only 0 of 1 recordings were added"):
        writer.close()


def test_sample_is_as_long_in_a_bundle_as_anywhere() -> None:
    with zipfile.ZipFile(BytesIO(bundle(*parts(1)))) as archive:
        assert archive.getinfo("00001.bin").file_size == 700 * SAMPLE_BYTES

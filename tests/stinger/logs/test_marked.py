"""Logs with the marks in their sidecars and in bundles."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stinger.errors import FileError
from stinger.logs import parse_log, read_marked_log
from stinger.logs.bundle import BundledRecording, BundleWriter
from stinger.marks import Marks, make_marks, parse_file_marks, parse_marks
from tests.helpers.samples import counting_samples

SAMPLES = counting_samples(0, 300)
MARKS = make_marks([(500, 900)], [1200])


def log_with(folder: Path, sidecar: object | bytes, name: str = "ml_log.bin") -> Path:
    path = folder / name
    path.write_bytes(SAMPLES.tobytes())
    data = sidecar if isinstance(sidecar, bytes) else json.dumps(sidecar).encode()
    path.with_suffix(".json").write_bytes(data)
    return path


def test_marks_are_read_from_the_sidecar(tmp_path: Path) -> None:
    path = log_with(tmp_path, {"schema": 1, "device": "b1", "marks": [{}, MARKS.to_json()]})
    log = read_marked_log(path)
    assert (log.marks_of(0), log.marks_of(1), log.marks_of(2)) == (Marks(), MARKS, Marks())


@pytest.mark.parametrize("sidecar", [{"shots": 7}, [1], b"", {"schema": 1, "device": "b1"}])
def test_a_log_with_no_sidecar_or_another_json_file_has_no_marks(tmp_path: Path, sidecar: object) -> None:
    assert read_marked_log(log_with(tmp_path, sidecar)).marks == ()
    (tmp_path / "ml_log.json").unlink()
    assert read_marked_log(tmp_path / "ml_log.bin").marks == ()


@pytest.mark.parametrize(
    "marks",
    [
        7,
        {},
        [7],
        [{"left_out": 1}],
        [{"left_out": [[1, 2, 3]]}],
        [{"left_out": [[2, 1]]}],
        [{"left_out": [[-1, 1]]}],
        [{"left_out": [[1, 2.5]]}],
        [{"not_shots": [True]}],
        [{"not_shots": ["1"]}],
        [{"not_shots": [-5]}],
        [{"not_shots": [10**30]}],
    ],
)
def test_damaged_marks_are_an_error_that_names_the_sidecar(tmp_path: Path, marks: object) -> None:
    path = log_with(tmp_path, {"schema": 1, "device": "b1", "marks": marks})
    with pytest.raises(FileError, match=r"ml_log\.json: .*repair, rename or delete it") as caught:
        read_marked_log(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"{", b"\0" * 200, b"[" * 100_000, b"\xff\xfe"])
def test_a_damaged_sidecar_is_an_error_that_names_it(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(FileError, match=r"ml_log\.json: is not JSON"):
        read_marked_log(log_with(tmp_path, data))


def bundle(*recordings: BundledRecording) -> bytes:
    file = BytesIO()
    writer = BundleWriter(file, recordings)
    for _ in recordings:
        writer.add(SAMPLES)
    writer.close()
    return file.getvalue()


def test_a_bundle_keeps_the_marks_of_each_recording() -> None:
    plain, with_marks = BundledRecording(300, 100.0, 0), BundledRecording(300, 100.0, 0, marks=MARKS)
    assert parse_log(bundle(plain, plain), "x.zip").marks == ()
    log = parse_log(bundle(plain, with_marks, plain), "x.zip")
    assert [log.marks_of(at) for at in range(3)] == [Marks(), MARKS, Marks()]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["left_out", "not_shots", "x"]), inner),
)


@given(json_values)
def test_any_json_is_marks_or_a_value_error(value: object) -> None:
    try:
        found = parse_file_marks(value)
    except ValueError:
        return
    assert [parse_marks(marks.to_json()) for marks in found] == list(found)

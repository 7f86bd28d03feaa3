from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import models.dataset
from models.dataset import INDEX_FILE, LABELS_FILE, META_FILE, WINDOWS_FILE, read_dataset, write_dataset
from stinger.errors import FileError
from stinger.files import StrPath, write_bytes
from tests.models.datasets import make_dataset, write_train_dir


@pytest.mark.parametrize("fails_at", ["labels_u8.bin", "index.csv", META_FILE])
def test_training_set_that_was_replaced_half_way_is_none(
    tmp_path: Path, fails_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_train_dir(tmp_path / "train", make_dataset(seed=1))
    before = (folder / WINDOWS_FILE).read_bytes()

    def full_disk(path: StrPath, data: bytes) -> None:
        if Path(path).name == fails_at:
            raise FileError(path, "No space left on device")
        write_bytes(path, data)

    monkeypatch.setattr(models.dataset, "write_bytes", full_disk)
    with pytest.raises(FileError, match="No space left"):
        write_dataset(folder, make_dataset(seed=2))
    assert (folder / WINDOWS_FILE).read_bytes() != before
    with pytest.raises(FileError, match="No such file"):
        read_dataset(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_train_dir(tmp_path / "train", make_dataset())


def replace_in(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


@pytest.mark.parametrize("name", [META_FILE, WINDOWS_FILE, LABELS_FILE, INDEX_FILE])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(FileError, match=f"{name}: No such file or directory"):
        read_dataset(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (WINDOWS_FILE, b"\1\2\3", "windows_i16le.bin: 3 bytes, expected 2880: 24 labels of 120 bytes"),
        (LABELS_FILE, b"", "labels_u8.bin: is empty"),
        (LABELS_FILE, b"\1\0\5", "labels_u8.bin: byte 2: the label is 5, expected 0 or 1"),
        (META_FILE, b"hello", "meta.json: is not JSON"),
        (META_FILE, b"\xff\xfe", "meta.json: is not JSON"),
        (META_FILE, b"[" * 100_000, "meta.json: is not JSON"),
        (META_FILE, b"[1]", "meta.json: window_samples is missing or not a whole number above 0"),
        (META_FILE, b'{"window_samples": NaN}', "meta.json: window_samples is missing or not a whole number above 0"),
        (META_FILE, b'{"window_samples": 10, "lead_ms": "x"}', "meta.json: lead_ms is not a number of 0 or more"),
        (META_FILE, b'{"window_samples": 10, "inputs": [1]}', "meta.json: inputs is not a list of files"),
        (INDEX_FILE, b"", "index.csv: line 1: the header lacks label, shot_num"),
        (INDEX_FILE, bytes(range(256)), "index.csv: line 1: the header lacks label, shot_num"),
    ],
)
def test_content_that_does_not_fit_is_one_line_with_its_place(
    folder: Path, name: str, content: bytes, message: str
) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(FileError) as caught:
        read_dataset(folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"\n1,1,", b"\n1,0,", "line 3: the label differs from labels_u8.bin"),
        (b"\n1,1,", b"\n\n1,x,", "line 4: label is 'x', expected a whole number"),
        (b"\n1,1,", b"\n1,1\x1b,", r"line 3: label is '1\x1b', expected a whole number"),
        (b"\n1,1,", b"\n1,1," + b"9" * 30 + b",", "line 3: 11 columns, expected 10"),
        (b"\n1,1,1,", b"\n1,1," + b"9" * 30 + b",", "line 3: shot_num is '999999999999999999999999999999'"),
        (b"\n1,1,", b"\n1,1,3,", "line 3: 11 columns, expected 10"),
        (b"\n1,1,", b"\n1,", "line 3: 9 columns, expected 10"),
        (b"\n1,1,", b'\n"1,1,', "expected 10"),
        (b"\n1,1,", b"\n" + b"1" * 200_000 + b",1,", "line 3: is not CSV (field larger than field limit"),
        (b"\n1,1,", b"\n0,1,0,0,0,0,0,0,pos,s\n1,1,", "25 rows, expected 24"),
    ],
)
def test_index_that_does_not_fit_is_one_line_with_its_place(folder: Path, old: bytes, new: bytes, message: str) -> None:
    replace_in(folder / INDEX_FILE, old, new)
    with pytest.raises(FileError) as caught:
        read_dataset(folder)
    assert str(caught.value).startswith(f"{folder / INDEX_FILE}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_index_without_sessions_is_one_session(folder: Path) -> None:
    lines = (folder / INDEX_FILE).read_text().splitlines()
    (folder / INDEX_FILE).write_text("\r\n".join(line.rpartition(",")[0] for line in lines))
    assert set(read_dataset(folder).rows.session) == {""}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    name=st.sampled_from([META_FILE, WINDOWS_FILE, LABELS_FILE, INDEX_FILE]),
    position=st.floats(0, 1),
    cut=st.integers(0, 40),
    inserted=st.binary(max_size=20) | st.text('0123456789,-.\n\r"{}[]e', max_size=20).map(str.encode),
)
def test_damaged_training_set_is_a_file_error_or_whole(
    folder: Path, name: str, position: float, cut: int, inserted: bytes
) -> None:
    path = folder / name
    content = path.read_bytes()
    at = int(position * len(content))
    path.write_bytes(content[:at] + inserted + content[at + cut :])
    try:
        dataset = read_dataset(folder)
    except FileError as error:
        assert "\n" not in str(error)  # noqa: PT017 - a whole one is as good
    else:
        assert dataset.windows.shape == (len(dataset), dataset.meta["window_samples"], 6)
        assert dataset.rows.session.shape == dataset.rows.shot_num.shape == (len(dataset),)
        assert np.isin(dataset.labels, (0, 1)).all()
    finally:
        path.write_bytes(content)

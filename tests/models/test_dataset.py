from __future__ import annotations

from pathlib import Path

import pytest

import models.dataset
from models.dataset import META_FILE, WINDOWS_FILE, read_dataset, write_dataset
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

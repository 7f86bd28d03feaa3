from __future__ import annotations

from pathlib import Path

import pytest

from stinger.errors import FileError
from stinger.files import check_output


@pytest.mark.parametrize("content", [None, b"old"])
def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path: Path, content: bytes | None) -> None:
    target = tmp_path / "report.md"
    if content is not None:
        target.write_bytes(content)
    check_output(target)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([] if content is None else [content])


@pytest.mark.parametrize("place", [".", "missing/report.md"])
def test_place_that_cannot_be_written_is_reported_before_the_work(tmp_path: Path, place: str) -> None:
    with pytest.raises(FileError, match=r"exists and is not a regular file|No such file or directory"):
        check_output(tmp_path / place)
    assert list(tmp_path.iterdir()) == []

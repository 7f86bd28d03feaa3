from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from stinger.errors import FileError
from stinger.files import atomic_output, read_bytes, regular_opener, write_bytes, write_many
from tests.helpers.patience import PATIENCE_S


def test_file_appears_only_when_the_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    with atomic_output(target) as file:
        file.write(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("lasting", [True, False])
def test_bytes_are_on_disk_before_the_name_is_if_they_are_to_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lasting: bool
) -> None:
    done: list[str] = []

    def recorded(call: Callable[..., None]) -> Callable[..., None]:
        def told_call(*arguments: object) -> None:
            done.append(call.__name__)
            call(*arguments)

        return told_call

    for call in (os.fsync, os.replace):
        monkeypatch.setattr(os, call.__name__, recorded(call))
    write_bytes(tmp_path / "out.bin", b"new", lasting=lasting)
    # Then the folder too, where the system can, so that the new name lasts.
    assert done[:2] == (["fsync", "replace"] if lasting else ["replace"])
    assert lasting or len(done) == 1


def test_failed_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")

    def fail_half_way() -> None:
        with atomic_output(target) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_replaced_file_keeps_its_mode_and_a_new_one_follows_the_umask(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"")
    old.chmod(0o640)
    write_bytes(old, b"x")
    write_bytes(new, b"x")
    umask = os.umask(0)
    os.umask(umask)
    assert old.stat().st_mode & 0o777 == 0o640
    assert new.stat().st_mode & 0o777 == 0o666 & ~umask


def test_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("name", ["missing/out.bin", "."])
def test_place_that_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError) as caught:
        write_bytes(tmp_path / name, b"x")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    script = textwrap.dedent(
        f"""
        import os, signal
        from stinger.files import atomic_output
        with atomic_output({str(target)!r}) as file:
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False, timeout=PATIENCE_S)
    assert ended.returncode == -signal.SIGKILL
    assert target.read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="there are no such files on Windows")
@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/ptmx"])
def test_device_is_refused_unopened(path: str) -> None:
    with pytest.raises(FileError, match="is not a regular file"):
        read_bytes(path)


@pytest.mark.skipif(os.name == "nt", reason="there are no such files on Windows")
def test_pipe_that_nobody_writes_to_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="is not a regular file"):
        read_bytes(tmp_path / "pipe")


def test_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1001))
    with pytest.raises(FileError, match="is larger than 1,000 bytes"):
        read_bytes(tmp_path / "a", at_most=1000)


def test_many_files_are_written_like_one(tmp_path: Path) -> None:
    files = {tmp_path / f"{number}": bytes([number]) for number in range(5)}
    (tmp_path / "3").write_bytes(b"old")
    write_many(files)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_failure_among_many_files_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="none"):
        write_many({tmp_path / "a": b"1", tmp_path / "none" / "b": b"2"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_opener_for_appending_takes_regular_files_only_and_waits_for_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", tmp_path / "folder", Path("/dev/null")):
        with pytest.raises(OSError, match="not a regular file"):
            regular_opener(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for _ in range(2):
        with open(tmp_path / "new", "ab", opener=regular_opener) as file:
            file.write(b"line\n")
    assert (tmp_path / "new").read_bytes() == b"line\nline\n"

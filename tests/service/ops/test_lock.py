from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from service.ops.lock import DaemonLock
from stinger.errors import FileError, UnavailableError
from tests.helpers.file_systems import ReadOnly
from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT

HOLDER = """
import sys, time
from service.ops.lock import DaemonLock
lock = DaemonLock(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_second_daemon_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == b"held\n"
            with pytest.raises(UnavailableError, match="in use by another daemon: stop it, or"):
                DaemonLock(folder)
        finally:
            first.kill()
            first.wait(PATIENCE_S)
    lock = DaemonLock(folder)
    assert lock.problem == ""
    lock.release()


def test_error_names_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(FileError, match="file"):
            DaemonLock(folder)


def test_read_only_folder_is_locked_once_it_can_be_written_to(tmp_path: Path, read_only: ReadOnly) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with read_only(folder):
        lock = DaemonLock(folder)
        assert str(folder) in lock.problem
        assert "cannot be written to" in lock.problem
        lock.try_again()
        assert lock.problem
    lock.try_again()
    assert lock.problem == ""
    with pytest.raises(UnavailableError):
        DaemonLock(folder)
    lock.release()


def test_read_only_folder_that_another_daemon_has_locked_meanwhile_is_refused(
    tmp_path: Path, read_only: ReadOnly
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with read_only(folder):
        late = DaemonLock(folder)
    first = DaemonLock(folder)
    with pytest.raises(UnavailableError, match="in use by another daemon"):
        late.try_again()
    first.release()


def test_lock_file_that_cannot_be_opened_in_a_writable_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "daemon.lock").mkdir()
    with pytest.raises(UnavailableError, match=r"daemon\.lock"):
        DaemonLock(tmp_path)

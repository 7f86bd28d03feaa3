from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from service.ops.lock import daemon_lock
from stinger.errors import FileError, InputError
from tests.helpers.places import ROOT

HOLDER = """
import sys, time
from service.ops.lock import daemon_lock
with daemon_lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_second_daemon_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == b"held\n"
            with pytest.raises(InputError, match="in use by another daemon: stop it, or"), daemon_lock(folder):
                pass
        finally:
            first.kill()
            first.wait(10)
    with daemon_lock(folder):
        pass


def test_error_names_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="file"), daemon_lock(tmp_path / "file"):
        pass

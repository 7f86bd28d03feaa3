from __future__ import annotations

import subprocess
import sys

import pytest

from tests.helpers.places import ROOT

LIMITED = """
import resource
from service.ops.open_files import allow_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 2000))
print(allow_open_files(1000), allow_open_files(500), allow_open_files(10**9), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_limit_is_raised_as_far_as_it_may_be_and_never_lowered() -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED], cwd=ROOT, capture_output=True, check=True, timeout=30)
    assert done.stdout.split() == [b"1000", b"1000", b"2000", b"2000"]

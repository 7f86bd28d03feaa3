from __future__ import annotations

import subprocess
import sys

import pytest

from tests.helpers.patience import PATIENCE_S
from tests.helpers.places import ROOT

LIMITED = """
import resource
from service.ops.open_files import raise_open_file_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 2000))
print(raise_open_file_limit(1000), raise_open_file_limit(500), raise_open_file_limit(10**9), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_limit_is_raised_as_far_as_allowed_and_never_lowered() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], cwd=ROOT, capture_output=True, check=True, timeout=PATIENCE_S
    )
    assert done.stdout.split() == [b"1000", b"1000", b"2000", b"2000"]

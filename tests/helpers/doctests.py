"""pytest plugin: doctests are searched for only in files that have any.

The search looks through every function and class, and takes a second in each of the suite's processes.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

_PROMPT: Final = b">>> "


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Leave out the collector of doctests where there is no prompt of one."""
    collectors = yield
    if file_path.suffix != ".py" or _PROMPT in file_path.read_bytes():
        return collectors
    return [each for each in collectors if type(each).__name__ != "DoctestModule"]

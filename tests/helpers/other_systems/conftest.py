"""No doctests are collected here: these modules are loaded by child processes only, and change the process they are in."""

from __future__ import annotations

from typing import Final

collect_ignore_glob: Final = ["*.py", "site/*.py"]

"""Where the files for running unattended are, and the programs that read them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

import pytest

from stinger.cli.group import COMMANDS
from tests.helpers.places import ROOT

DEPLOY: Final = ROOT / "deploy"


def program(name: str, package: str) -> str:
    """The path of a program, of the system or of the environment's packages; skips where it is not installed."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name) or shutil.which(name, path=f"{beside}:/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} ({package}) is not installed")
    return found


def is_command(name: str) -> bool:
    """Whether the program has the command; skips for ``retrain`` where that is not part of it."""
    if name == "retrain" and name not in COMMANDS:
        pytest.skip("this program cannot retrain")
    return name in COMMANDS

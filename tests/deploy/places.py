"""Paths of the deployment files, and of the programs that check them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

import pytest

from stinger.cli.commands import COMMANDS
from tests.helpers.places import ROOT

DEPLOY: Final = ROOT / "deploy"


def program(name: str, package: str) -> str:
    """Return the path of a program of the system or the virtual environment; skip the test if it is not installed."""
    environment = str(Path(sys.executable).parent)
    found = shutil.which(name) or shutil.which(name, path=f"{environment}:/usr/sbin:/usr/local/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} ({package}) is not installed")
    return found


def is_command(name: str) -> bool:
    """Return whether ``stinger`` has the command ``name``; skip the test for ``retrain`` if it is not installed."""
    if name == "retrain" and name not in COMMANDS:
        pytest.skip("this program cannot retrain")
    return name in COMMANDS

"""The blaster's end: a pty or a socket."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hil.emulated import Port
from tests.service.round_trip.emulated_client import KINDS, port_of


@pytest.fixture(params=KINDS)
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Port:
    """Of an emulated blaster."""
    if os.name != "posix":
        pytest.skip("ptys are a thing of POSIX, and so is the emulated blaster")
    return port_of(request.param, tmp_path)


@pytest.fixture
def pty(tmp_path: Path) -> Port:
    """Where one kind is enough."""
    if os.name != "posix":
        pytest.skip("ptys are a thing of POSIX")
    return port_of("pty", tmp_path)

"""Ports of an emulated blaster: a pty or a socket."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hil.emulated import Port
from tests.service.round_trip.emulated_client import KINDS, port_of


@pytest.fixture(params=KINDS)
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Port:
    """A port of each kind."""
    if os.name != "posix":
        pytest.skip("ptys and the emulated blaster need POSIX")
    return port_of(request.param, tmp_path)


@pytest.fixture
def pty(tmp_path: Path) -> Port:
    """A pty, for tests that need one kind only."""
    if os.name != "posix":
        pytest.skip("ptys need POSIX")
    return port_of("pty", tmp_path)

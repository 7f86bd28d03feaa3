"""What tests that draw share."""

from __future__ import annotations

import pytest

from tests.helpers.drawing import open_fonts


@pytest.fixture(scope="session", autouse=True)
def _fonts_are_open() -> None:
    open_fonts()

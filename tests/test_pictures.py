"""The script that makes the pictures of README.md still runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from scripts.pictures import BROWSERS, FOLDER, make_pictures
from tests.helpers.patience import PATIENCE_S


def test_without_a_browser_the_script_says_what_it_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(make_pictures, ["--outdir", str(tmp_path)])
    assert result.exit_code == 1
    assert f"looked for {', '.join(BROWSERS)}" in result.output


@pytest.mark.slow
@pytest.mark.timeout(4 * PATIENCE_S)
def test_pictures_are_as_wide_as_those_of_the_readme(tmp_path: Path) -> None:
    if not any(shutil.which(name) for name in BROWSERS):
        pytest.skip("Chromium is not installed")
    result = CliRunner().invoke(make_pictures, ["--outdir", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    for name in ("page.png", "evaluation.png"):
        with Image.open(tmp_path / name) as made, Image.open(FOLDER / name) as committed:
            assert made.width == committed.width

"""Builds the documentation as a site in ``site/``; a link that leads nowhere is an error.

Run: python -m scripts.build_docs [--serve], with the extra ``docs``. ``--serve`` shows the site at an address of this machine
instead, and follows changes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from scripts.reference_pages import write_reference_pages

ROOT = Path(__file__).resolve().parent.parent


@click.command()
@click.option("--serve", is_flag=True, help="Show the site at an address of this machine, and follow changes.")
def build_docs(*, serve: bool) -> None:
    """Build the documentation as a site in the folder site/."""
    write_reference_pages(ROOT / "docs" / "reference")
    action = ["serve"] if serve else ["build", "--strict", "--clean"]
    # In the folder of the configuration, as Griffe imports the extension in scripts/ from there.
    ended = subprocess.run([sys.executable, "-m", "zensical", *action], cwd=ROOT, check=False)
    sys.exit(ended.returncode)


if __name__ == "__main__":
    build_docs()

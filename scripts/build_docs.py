"""Builds the documentation as a site in ``site/``.

A link that leads nowhere, or an address of another host, is an error. Run: python -m scripts.build_docs [--serve], with
the extra ``docs``. ``--serve`` shows the site at an address of this machine instead, and follows changes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from scripts.reference_pages import write_reference_pages
from scripts.site_check import site_problems

ROOT = Path(__file__).resolve().parent.parent


@click.command()
@click.option("--serve", is_flag=True, help="Show the site at an address of this machine, and follow changes.")
def build_docs(*, serve: bool) -> None:
    """Build the documentation as a site in the folder site/."""
    write_reference_pages(ROOT / "docs" / "reference")
    action = ["serve"] if serve else ["build", "--strict", "--clean"]
    # In the folder of the configuration, as Griffe imports the extension in scripts/ from there.
    ended = subprocess.run([sys.executable, "-m", "zensical", *action], cwd=ROOT, check=False)
    if ended.returncode or serve:
        sys.exit(ended.returncode)
    problems = site_problems(ROOT / "site")
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    build_docs()

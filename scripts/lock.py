"""Pins every package that the program and its tools need, with hashes, in ``requirements/``.

Run: python -m scripts.lock [--upgrade], after a change of the requirements in pyproject.toml. Needs uv. Without
``--upgrade``, versions that still fit stay. The files hold for every system and for each Python that pyproject.toml
allows; which index the files came from is not in them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import click

ROOT: Final = Path(__file__).resolve().parent.parent
FILES: Final = {"dev": "requirements/dev.txt", "all": "requirements/all.txt"}
"""The file of each extra; the second takes its versions from the first."""


@click.command()
@click.option("--upgrade", is_flag=True, help="Take the newest versions instead of keeping those that still fit.")
def lock(*, upgrade: bool) -> None:
    """Pin the packages of the extras all and dev, and those that build the program, in the folder requirements/."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    # pip builds the program with these, if it is not to fetch others: --no-build-isolation.
    build = "\n".join(project["build-system"]["requires"])
    first = FILES["dev"]
    for extra, path in FILES.items():
        command = [
            *("uv", "pip", "compile", "pyproject.toml", "-", "--extra", extra, "--output-file", path),
            *("--universal", "--generate-hashes", "--quiet", "--custom-compile-command", "python -m scripts.lock"),
            *(["--upgrade"] if upgrade else []),
            *(["--constraints", first] if path != first else []),
        ]
        try:
            ended = subprocess.run(command, cwd=ROOT, input=build, text=True, check=False)
        except FileNotFoundError:
            raise click.ClickException("uv is not installed: run pip install uv") from None
        if ended.returncode:
            sys.exit(ended.returncode)
        click.echo(f"wrote {path.replace('/', os.sep)}")


if __name__ == "__main__":
    lock()

"""The ``stinger`` command, run inside the test's process or as a process of its own."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import Final

from click.testing import CliRunner, Result

from stinger.cli import main
from stinger.packages import python_module
from tests.helpers.patience import PATIENCE_S

STINGER: Final = tuple(python_module("stinger"))
"""The start of a command line that runs ``stinger`` as a process of its own."""


def invoke(*arguments: object, answer: str | None = None) -> Result:
    """Run ``stinger`` with ``arguments`` in this process; ``answer`` is its standard input."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=answer)


def invoke_line(line: str) -> Result:
    """Run ``stinger`` in this process with ``line`` split as a shell splits it."""
    return invoke(*shlex.split(line))


def run_stinger(
    *arguments: object, timeout_s: float = PATIENCE_S, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``stinger`` to its end as a process of its own, with ``environment`` on top of the test's."""
    return run_program(*STINGER, *arguments, timeout_s=timeout_s, **environment)


def run_program(
    *command: object, timeout_s: float = PATIENCE_S, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` to its end; the result has its exit code and what it printed."""
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
        env=os.environ | environment,
    )

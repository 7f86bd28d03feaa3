"""Processes of the bench's own: started, watched by what they print, ended, and never left behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stinger.errors import StingerError
from stinger.packages import python_module

PATIENCE_S: Final = 20.0
"""How long a process may take to be ready, or to end."""
_LOOK_S: Final = 0.005


class ProcessError(StingerError):
    """A process of the bench's did not do what it should; the text says what it last printed."""


class ChildProcess:
    """A process whose output is in ``log``. As a context it runs from entry to exit, where it is killed if it must be."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self.started_ns = 0

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, once more if it ran before; one that still runs is killed. What it prints goes on in the same file."""
        self.kill()
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        environment = {name: value for name, value in os.environ.items() if not name.startswith("STINGER_")}
        with self.log.open("ab") as output:
            self.started_ns = time.monotonic_ns()
            self._process = subprocess.Popen(  # noqa: S603 - the bench's own commands
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )

    def said(self) -> str:
        """All that it printed since it was last started."""
        return self.log.read_bytes()[self._log_start :].decode(errors="replace")

    async def wait_for(self, pattern: str) -> re.Match[str]:
        """The first place in its output that fits. Raises :class:`ProcessError` if none comes, or it ends."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            ended = self._process is None or self._process.poll() is not None
            found = re.search(pattern, self.said(), re.MULTILINE)
            if found is not None:
                return found
            if ended or time.monotonic() > deadline:
                raise ProcessError(f"{self.name} {'ended' if ended else 'is not ready'}: {_last_line(self.said())}")
            await asyncio.sleep(_LOOK_S)

    def check(self) -> None:
        """Raise :class:`ProcessError` if it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise ProcessError(f"{self.name} ended: {_last_line(self.said())}")

    async def end(self) -> int:
        """Ask it to end, and return its exit code; one that does not end in time is killed, which is -9."""
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, PATIENCE_S)
        self.kill()
        return process.returncode

    def kill(self) -> None:
        """Let it be gone, without a warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def stinger_command(*arguments: str) -> list[str]:
    """A command of this program, as this Python runs it."""
    return python_module("stinger", *arguments)


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"

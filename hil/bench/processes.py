"""Child processes of the bench: started, watched by their output, stopped, and never left running."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stinger.errors import StingerError
from stinger.packages import python_module
from stinger.units import NS_PER_S

PROCESS_TIMEOUT_S: Final = 60.0
"""How long a process may take to become ready, or to stop."""
STARVED_SHARE: Final = 0.5
"""A process that waited for a processor for this share of the time that it may take says nothing about the program."""
_POLL_S: Final = 0.005


class ProcessError(StingerError):
    """A child process failed; the message ends with the last line that it printed."""


class StarvedError(ProcessError):
    """A child process was too late, and the machine had no processor for it for most of that time."""


class ChildProcess:
    """A process whose output goes to ``log``. As a context manager it is started on entry and killed on exit."""

    def __init__(self, name: str, command: Sequence[str], log: Path, *, timeout_s: float = PROCESS_TIMEOUT_S) -> None:
        self.name = name
        self.log = log
        self.started_ns = 0
        self._command = list(command)
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._killed_waited_s = 0.0
        """For how long those processes waited for a processor that were killed."""

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The process id of the running process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the process, after killing it if it is running; output is appended to the log."""
        self.kill()
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        environment = {name: value for name, value in os.environ.items() if not name.startswith("STINGER_")}
        with self.log.open("ab") as output:
            self.started_ns = time.monotonic_ns()
            self._process = subprocess.Popen(  # noqa: S603 - the bench's own commands
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )

    def output(self) -> str:
        """Return everything printed since the last start."""
        return self.log.read_bytes()[self._log_start :].decode(errors="replace")

    async def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait for output that matches ``pattern``, and return the first match.

        Raises :class:`ProcessError` if the process ends without printing it, or does not print it in time;
        :class:`StarvedError` if it lacked a processor meanwhile.
        """
        deadline, waited_before_s = time.monotonic() + self._timeout_s, self.cpu_wait_s()
        while True:
            ended = self._process is None or self._process.poll() is not None
            found = re.search(pattern, self.output(), re.MULTILINE)
            if found is not None:
                return found
            if ended:
                raise ProcessError(f"{self.name} ended: {_last_line(self.output())}")
            if time.monotonic() > deadline:
                problem = f"{self.name} is not ready: {_last_line(self.output())}"
                raise self.late_error(problem, self._timeout_s, waited_before_s)
            await asyncio.sleep(_POLL_S)

    def check_running(self) -> None:
        """Raise :class:`ProcessError` if the process has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise ProcessError(f"{self.name} ended: {_last_line(self.output())}")

    async def stop(self) -> int:
        """Send SIGTERM and return the exit code; a process that does not end in time is killed, which gives -9.

        Raises :class:`StarvedError` if it lacked a processor meanwhile.
        """
        process = self._process
        assert process is not None
        waited_before_s = self.cpu_wait_s()
        process.send_signal(signal.SIGTERM)
        late = None
        try:
            await asyncio.to_thread(process.wait, self._timeout_s)
        except subprocess.TimeoutExpired:
            late = self.late_error(f"{self.name} did not end", self._timeout_s, waited_before_s)
        self.kill()
        if isinstance(late, StarvedError):
            raise late
        return process.returncode

    def cpu_wait_s(self) -> float:
        """Return for how long it could have run, had there been a processor for its main thread, over all its starts.

        0 where the system does not know, as only Linux does.
        """
        if self._process is None or self._process.returncode is not None:
            return self._killed_waited_s
        try:
            text = Path(f"/proc/{self._process.pid}/schedstat").read_text(encoding="ascii")
            waited_ns = int(text.split()[1])  # after the ns on a processor, and before the number of turns
        except (OSError, IndexError, ValueError):
            return self._killed_waited_s
        return self._killed_waited_s + waited_ns / NS_PER_S

    def late_error(self, problem: str, timeout_s: float, waited_before_s: float) -> ProcessError:
        """Return the error for a process that was not in time.

        ``waited_before_s`` is :meth:`cpu_wait_s` at the beginning.
        """
        waited_s = self.cpu_wait_s() - waited_before_s
        if waited_s < STARVED_SHARE * timeout_s:
            return ProcessError(problem)
        return StarvedError(
            f"this machine was too busy: {self.name} waited for a processor for {waited_s:.0f} of {timeout_s:.0f} s ({problem})"
        )

    def kill(self) -> None:
        """Send SIGKILL, if the process has been started, and wait for its end."""
        if self._process is not None:
            self._killed_waited_s = self.cpu_wait_s()
            self._process.kill()
            self._process.wait()


def stinger_command(*arguments: str) -> list[str]:
    """Return the command line of ``stinger`` with these arguments, for the running Python."""
    return python_module("stinger", *arguments)


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"

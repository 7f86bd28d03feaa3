"""A command of ``stinger`` that runs as a child process of the page: its progress, its output, and how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Literal

from service.base.logs import get_logger
from service.web.child import GRACE_S, LOW_PRIORITY
from service.web.progress_lines import parse_progress
from service.web.step_times import Step, time_left_s
from stinger.packages import python_module
from stinger.wording import printable

_LOG: Final = get_logger(__name__)
_LINES_KEPT: Final = 300
_LONGEST_LINE: Final = 2_000
_ERROR: Final = "Error: "
_MARGIN_S: Final = 2.0
_PRIVATE: Final = 0o077
"""Only the user can read what a command writes, as everything in the data folder."""

State = Literal["running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the current step of an action is."""

    label: str
    done: int
    of: int
    began_s: float
    """When the step began, by the monotonic clock; so is the next."""
    newest_s: float
    before: tuple[Step, ...] = ()
    """The steps before this one, the start first."""

    def left_s(self, now_s: float) -> float | None:
        """Return the time left for this step, in seconds, at its speed so far; ``None`` if that is not known yet."""
        if not self.done:
            return None
        whole_s = (self.newest_s - self.began_s) * self.of / self.done
        return max(0.0, self.began_s + whole_s - now_s)

    def whole_left_s(self, earlier: Sequence[Step], now_s: float) -> float | None:
        """Return the time left for the whole action, in seconds; ``None`` if it is not known yet.

        ``earlier`` are the steps of an action of the same kind that has finished.
        """
        part, spent_s = self.done / self.of, self.newest_s - self.began_s
        left_s = time_left_s(earlier, self.before, self.label, part, spent_s)
        return None if left_s is None else max(0.0, left_s + self.newest_s - now_s)

    def steps_until(self, now_s: float) -> tuple[Step, ...]:
        """Return all steps up to this one, as if it ended now."""
        return *self.before, Step(self.label, now_s - self.began_s)


class LongAction:
    """A child process with the command line ``arguments`` of ``stinger``, started by the constructor.

    It belongs to the page's process, not to a browser: everyone sees the same, and it ends with that process, even if
    that is killed. With ``low_priority``, other processes have precedence. It is done if it ends with one of
    ``finished_codes``. ``earlier`` are the steps of one of the same kind that has finished, from which the time left
    follows; ``on_done`` is called, in a thread, once this one is done. A child that has been cancelled is killed, with
    all that it started, if it has not ended after ``kill_after_s``.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        low_priority: bool = False,
        finished_codes: frozenset[int] = frozenset({0}),
        earlier: Sequence[Step] = (),
        on_done: Callable[[LongAction], object] = lambda _: None,
        kill_after_s: float = GRACE_S + _MARGIN_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.arguments = tuple(arguments)
        self.began_s = now_s()
        """By the monotonic clock."""
        self.ended_s: float | None = None
        self.progress: Progress | None = None
        self.earlier = tuple(earlier)
        self.exit_code: int | None = None
        """``None`` while the process runs."""
        self._now_s = now_s
        self._on_done = on_done
        self._kill_after_s = kill_after_s
        self._finished_codes = finished_codes
        self._cancelled = False
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._ended = threading.Event()
        self._process = _start([*([LOW_PRIORITY] if low_priority else []), *arguments])
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        threading.Thread(target=self._wait, args=(reader,), daemon=True).start()
        _LOG.info("action_started", command=arguments[0], pid=self._process.pid)

    @property
    def state(self) -> State:
        """Whether it runs, or how it ended. One that had finished before it could be cancelled is done."""
        return self._outcome if self._ended.is_set() else "running"

    @property
    def _outcome(self) -> State:
        if self.exit_code == 0 or (self.exit_code in self._finished_codes and not self._cancelled):
            return "done"
        return "cancelled" if self._cancelled else "failed"

    @property
    def is_cancelling(self) -> bool:
        """Whether it has been cancelled, and has not ended yet."""
        return self._cancelled and self.state == "running"

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps of one that has ended; empty if it runs, or has reported no progress."""
        if self.progress is None or self.ended_s is None:
            return ()
        return self.progress.steps_until(self.ended_s)

    @property
    def lines(self) -> list[str]:
        """The newest lines that it printed, without progress."""
        return list(self._lines)

    @property
    def problem(self) -> str:
        """Why it failed, in a line: the error that it printed, else its last line; empty if it has not failed."""
        if self.state != "failed":
            return ""
        lines = self.lines
        error = next((line.removeprefix(_ERROR) for line in reversed(lines) if line.startswith(_ERROR)), None)
        return error or (lines[-1] if lines else f"it ended with exit code {self.exit_code}")

    def cancel(self) -> None:
        """Interrupt the command, as Ctrl-C does. Returns at once; the action ends within ``kill_after_s``."""
        if self._cancelled or self.state != "running":
            return
        self._cancelled = True
        _LOG.info("action_cancelled", command=self.arguments[0], pid=self._process.pid)
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

        def kill_if_running() -> None:
            if not self._ended.wait(self._kill_after_s):
                self._kill()

        threading.Thread(target=kill_if_running, daemon=True).start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it has ended, at most ``timeout_s``; return whether it has. Not for an event loop."""
        return self._ended.wait(timeout_s)

    def close(self, within_s: float) -> None:
        """Cancel it, and kill it if it has not ended ``within_s``. Not for an event loop."""
        self.cancel()
        if not self.wait(within_s):
            self._kill()
            self.wait(within_s)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._take(line.rstrip("\r\n"))

    def _take(self, line: str) -> None:
        found = parse_progress(line)
        if found is None:
            if line.strip():
                self._lines.append(printable(line[:_LONGEST_LINE]))
            return
        label, done, of = found
        now_s, before = self._now_s(), self.progress
        if before is not None and before.label == label and before.of == of and before.done <= done:
            self.progress = replace(before, done=done, newest_s=now_s)
            return
        steps = (Step("", now_s - self.began_s),) if before is None else before.steps_until(now_s)
        self.progress = Progress(label, done, of, now_s, now_s, steps)

    def _wait(self, reader: threading.Thread) -> None:
        exit_code = self._process.wait()
        self._kill_group()  # what it may have left behind would also keep the pipe open
        reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with suppress(OSError):
                stream.close()
        self.exit_code, self.ended_s = exit_code, self._now_s()
        try:
            if self._outcome == "done":
                self._on_done(self)
        finally:
            self._ended.set()
        _LOG.info("action_ended", command=self.arguments[0], pid=self._process.pid, exit_code=exit_code)

    def _kill(self) -> None:
        self._kill_group()
        self._process.kill()

    def _kill_group(self) -> None:
        if sys.platform != "win32":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _start(arguments: Sequence[str]) -> subprocess.Popen[str]:
    posix = os.name == "posix"
    return subprocess.Popen(  # noqa: S603 - our own command
        python_module("service.web.child", *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        # A group of its own, so that all that it starts can be killed, and Ctrl-C in the page's terminal interrupts it
        # once.
        start_new_session=posix,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        umask=_PRIVATE if posix else -1,
    )

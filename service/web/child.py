"""Runs a command of ``stinger`` as a child process of the page.

``python -m service.web.child [--low-priority] COMMAND ...``. The end of its standard input interrupts the command, as
Ctrl-C would: when the page cancels it, and also when the page's process ends or is killed, because the system then
closes the pipe. Progress is written to standard error, see :mod:`service.web.progress_lines`.
"""

from __future__ import annotations

import _thread
import io
import os
import signal
import sys
import threading
import time
from typing import Final

from service.web.progress_lines import PACE_S, progress_line
from stinger.cli import main
from stinger.cli.progress import ProgressReport, progress_reported_to

LOW_PRIORITY: Final = "--low-priority"
GRACE_S: Final = 10.0
"""How long an interrupted command may take to end by itself, before it is killed with all that it started."""
_NICENESS: Final = 10
_READ_BYTES: Final = 1_024


def run(arguments: list[str], *, grace_s: float = GRACE_S) -> None:
    """Run the command line ``arguments`` of ``stinger`` until it ends, or standard input does."""
    low_priority = arguments[:1] == [LOW_PRIORITY]
    if low_priority and hasattr(os, "nice"):
        os.nice(_NICENESS)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", line_buffering=True)
    # The command and its child processes read nothing: they get an empty standard input.
    parent = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    threading.Thread(target=_interrupt_at_end, args=(parent, grace_s), daemon=True).start()
    with progress_reported_to(_paced_report()):
        main(arguments[1:] if low_priority else arguments, prog_name="stinger")


def _interrupt_at_end(descriptor: int, grace_s: float) -> None:
    while os.read(descriptor, _READ_BYTES):
        pass
    if hasattr(signal, "pthread_kill"):  # also wakes the main thread from a wait; the function below does not
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
    time.sleep(grace_s)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _paced_report() -> ProgressReport:
    """Return a function that writes progress to standard error.

    It writes at most every :data:`PACE_S`, and always the first and the last.
    """
    errors, written_s = sys.stderr, 0.0

    def report(label: str, done: int, of: int) -> None:
        nonlocal written_s
        now_s = time.monotonic()
        if 0 < done < of and now_s - written_s < PACE_S:
            return
        written_s = now_s
        errors.write(progress_line(label, done, of))
        errors.flush()

    return report


if __name__ == "__main__":
    run(sys.argv[1:])

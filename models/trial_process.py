"""The process that :func:`models.trial.try_model` starts.

``python -m models.trial_process MEMORY_BYTES PROCESSOR_S`` reads a model file from standard input, and writes one JSON
object: ``us_per_sample`` and ``memory_bytes``, or ``problem``, or ``memory`` if the memory was not enough. It ends with
the exit code :data:`~models.trial.TOO_SLOW_EXIT` when the processor time is used up.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.model_file import Model, open_model, probe_windows
from models.scorer import BATCH_WINDOWS
from models.trial import TOO_SLOW_EXIT
from stinger.errors import InputError

if sys.platform != "win32":  # on Windows, only the parent limits the time
    import resource

_MEASURED_S: Final = 0.1
_CHECK_S: Final = 0.05
_PROBLEM_MAX_CHARS: Final = 400
_FIRST_TO_END: Final = "1000"
_OUT_OF_MEMORY: Final = ("bad_alloc", "bfc_arena", "Failed to allocate", "MemoryError")
"""Texts of ONNX Runtime's errors when it gets no memory."""


def main() -> None:
    """Try the model on standard input within the limits of the command line."""
    memory_bytes, processor_s = int(sys.argv[1]), float(sys.argv[2])
    data = sys.stdin.buffer.read()
    before = _peak_bytes()
    end_s = time.process_time() + processor_s
    threading.Thread(target=_exit_at, args=(end_s,), name="time limit", daemon=True).start()
    _limit_memory(memory_bytes)
    try:
        us_per_sample = measure(open_model(data))
    except Exception as error:  # noqa: BLE001 - the exceptions of ONNX Runtime have no common base class
        answer = _refusal(error)
    else:
        used = max(0, _peak_bytes() - before)
        answer = {"us_per_sample": us_per_sample, "memory_bytes": used}
        if used > memory_bytes:  # where no limit could be set
            answer = {"memory": True}
    sys.stdout.write(json.dumps(answer))


def _refusal(error: Exception) -> dict[str, Any]:
    reason = f"{error!r} {error.__cause__!r}"
    if any(text in reason for text in _OUT_OF_MEMORY):
        return {"memory": True}
    text = str(error).partition("\n")[0][:_PROBLEM_MAX_CHARS]
    return {"problem": text if isinstance(error, InputError) else f"cannot score windows ({text})"}


def measure(model: Model) -> float:
    """Return the processor time that ``model`` takes for a sample, in microseconds: alone or in a full batch."""
    windows = probe_windows()
    batch = np.resize(windows, (BATCH_WINDOWS, *windows.shape[1:]))
    alone_s = _mean_s(lambda: model.probability(windows[-1:]))
    batch_s = _mean_s(lambda: model.probability(batch)) / BATCH_WINDOWS
    return max(alone_s, batch_s) * 1e6


def _mean_s(run: Callable[[], object]) -> float:
    """Return the processor time of one run, over as many as the system's clock needs: it may count in steps of 10 ms."""
    run()
    runs, begun_s = 0, time.process_time()
    while True:
        run()
        runs += 1
        used_s = time.process_time() - begun_s
        if used_s >= _MEASURED_S:
            return used_s / runs


def _exit_at(end_s: float) -> None:
    """End this process when it has used the processor until ``end_s``. Not all systems have a limit for that."""
    while time.process_time() < end_s:
        time.sleep(_CHECK_S)
    os._exit(TOO_SLOW_EXIT)


def _limit_memory(memory_bytes: int) -> None:
    """Limit the memory to what is in use now and ``memory_bytes``, where the system can; see also :func:`_peak_bytes`."""
    if sys.platform == "win32":
        return
    # Where memory runs out nevertheless, this process is to be ended, not the one that serves. Only Linux has these
    # files.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_END, encoding="ascii")
    # A hardened service may not change limits.
    with suppress(OSError, ValueError):
        with open("/proc/self/statm", "rb") as file:
            pages = int(file.read().split()[0])
        limit = pages * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _peak_bytes() -> int:
    """Return the peak of this process's memory; 0 where the system does not report it."""
    if sys.platform == "win32":
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()

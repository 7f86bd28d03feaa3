"""Try a model in a process of its own, with limits on memory and time, before it is accepted.

A file of one kilobyte can ask for ten gigabytes, keep a processor busy for half a minute, or crash the library that
runs it. In a process of its own it harms nothing.
"""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import dataclass
from typing import Final

from models.model_file import read_model
from models.onnx_wire import check_contents
from stinger.errors import FileError, InputError
from stinger.files import StrPath
from stinger.packages import python_module

TOO_SLOW_EXIT: Final = 75
"""Exit code of the process when its processor time is used up."""

_MEGABYTE: Final = 2**20
_PROBLEM_MAX_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """What a model may need."""

    memory_bytes: int = 1024 * _MEGABYTE
    """In addition to what the process needs without a model. A forest of 600 trees takes about 100 MB.

    Only Linux refuses more at once. On macOS the peak is compared afterwards; Windows has no limit but that of the
    time.
    """
    processor_s: float = 5.0
    """Processor time for opening the model and trying it on a few thousand windows."""
    wait_s: float = 30.0
    """Time until the whole trial must have ended, however busy the machine is."""
    us_per_sample: float = 2000.0
    """Processor time to score a sample, in microseconds: a fifth of the 10 ms between two samples of one device."""


LIMITS: Final = TrialLimits()


@dataclass(frozen=True, slots=True)
class Trial:
    """What was measured."""

    us_per_sample: float
    """Processor time to score a sample, in microseconds: alone or in a batch, whichever takes longer."""
    memory_bytes: int
    """Additional memory at the peak; 0 where the system does not report it."""


def try_model(data: bytes, limits: TrialLimits = LIMITS) -> Trial:
    """Open the model in ``data``, the content of a file, and score test windows, in another process.

    Takes about half a second, most of it to start that process. Raises :class:`InputError` for a model that is not
    valid (see :func:`models.model_file.open_model`), and for one that needs more memory or time than ``limits`` allow.
    The time for a sample is not compared with its limit: :func:`check_speed` does that.
    """
    check_contents(data)  # needs no process, and refuses at once what is no model
    command = python_module("models.trial_process", str(limits.memory_bytes), str(limits.processor_s))
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            input=data,
            capture_output=True,
            timeout=limits.wait_s,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"was not opened and tried within {limits.wait_s:g} s: too large, or the machine is busy"
        ) from None
    except OSError as error:
        raise InputError(f"cannot be tried in a process of its own: {error.strerror or error}") from error
    if done.returncode == TOO_SLOW_EXIT:
        raise InputError(f"needs more than {limits.processor_s:g} s of processor time to be opened and tried")
    if done.returncode < 0:
        raise InputError(
            f"ends the process that opens it ({_signal_name(-done.returncode)}): not a model that can run here"
        )
    try:
        answer = json.loads(done.stdout)
        if "memory" in answer:
            raise InputError(f"needs more than {limits.memory_bytes // _MEGABYTE:,} MB of memory")
        if "problem" in answer:
            raise InputError(answer["problem"])
        return Trial(float(answer["us_per_sample"]), int(answer["memory_bytes"]))
    except (ValueError, KeyError, TypeError) as error:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no output"]
        problem = f"exit code {done.returncode}: {lines[-1]:.{_PROBLEM_MAX_CHARS}}"
        raise InputError(f"cannot be tried, as the process for that failed ({problem})") from error


def try_file(path: StrPath, limits: TrialLimits = LIMITS) -> Trial:
    """Try the model file ``path`` as :func:`try_model` does. Raises :class:`FileError`."""
    data = read_model(path)
    try:
        return try_model(data, limits)
    except InputError as error:
        raise FileError(path, str(error)) from error


def check_speed(us_per_sample: float, limits: TrialLimits = LIMITS) -> None:
    """Raise :class:`InputError` for a model that needs ``us_per_sample`` and is too slow for ``limits``."""
    if us_per_sample > limits.us_per_sample:
        raise InputError(
            f"needs {us_per_sample:,.0f} µs to score a sample, more than the {limits.us_per_sample:,.0f} allowed: "
            "train a smaller model"
        )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

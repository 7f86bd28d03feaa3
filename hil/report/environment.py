"""What a run was made on: program, machine, serial adapter, clock. What cannot be told is ``None``, never a guess.

Nothing here names a person or a network: no host name, no user, no adapter's serial number.
"""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Final

from hil.report.checkout import commit
from hil.report.machine import machine
from hil.report.serial_adapter import adapter

_PACKAGES: Final = ("numpy", "onnxruntime", "aiomqtt", "paho-mqtt", "pyserial", "hdrhistogram")
_NS_PER_S: Final = 1e9
_LOAD: Final = "load average, 1 min"

VOLATILE: Final = frozenset({_LOAD})
"""What differs from run to run on the same machine, so that a difference says nothing."""


def environment(*, model: str | None = None, port: str | None = None) -> dict[str, str | float | None]:
    """All of it, by names for people. ``model`` is what the caller says of the model; ``port`` a serial port's path.

    It asks git, where it runs from a checkout, and systemd, where there is one: that takes some tens of milliseconds.
    """
    clock = time.get_clock_info("monotonic")
    return {
        "stinger-ml": _version("stinger-ml"),
        "commit": commit(Path(__file__).parents[2]),
        "model": model,
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: _version(name) for name in _PACKAGES},
        **machine(),
        _LOAD: _load_average(),
        "clock": clock.implementation,
        "clock resolution, ns": round(clock.resolution * _NS_PER_S, 3),
        **adapter(port),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _load_average() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):  # Windows has none
        return None

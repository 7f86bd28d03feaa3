"""Describes the environment of a run: program, machine, serial adapter, clock. Unknown values are ``None``.

Nothing here identifies a person or a network: no host name, no user, no serial number of an adapter.
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
from hil.report.serial_adapter import serial_adapter
from stinger.units import NS_PER_S

_PACKAGES: Final = ("numpy", "onnxruntime", "aiomqtt", "paho-mqtt", "pyserial", "hdrhistogram")
_LOAD: Final = "load average, 1 min"

VOLATILE: Final = frozenset({_LOAD})
"""Values that differ between runs on the same machine, so that they are not compared."""


def environment(*, model: str | None = None, port: str | None = None) -> dict[str, str | float | None]:
    """Return the environment, by readable names.

    ``model`` describes the model; ``port`` is the path of a serial port. This starts git (in a checkout) and
    systemd-detect-virt (if installed), which takes some tens of milliseconds.
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
        "clock resolution, ns": round(clock.resolution * NS_PER_S, 3),
        **serial_adapter(port),
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

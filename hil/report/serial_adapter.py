"""The serial adapter behind a port, and how long its driver keeps bytes before it hands them on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from serial.tools import list_ports

_TTYS: Final = Path("/sys/class/tty")


def adapter(port: str | None, *, ttys: Path = _TTYS) -> dict[str, str | float | None]:
    """The adapter of the serial ``port``, or nothing if there is no port. ``ttys`` is where Linux tells of its ports.

    ``latency timer, ms`` is there with drivers that have one (FTDI's, 16 ms unless someone changed it): it delays a live
    stream by that much. A pseudo-terminal has neither.
    """
    if port is None:
        return {}
    name = Path(port).resolve().name if Path(port).exists() else Path(port).name
    return {
        "serial port": port,
        "serial adapter": _usb(port, name),
        "serial driver": _driver(ttys / name / "device/driver"),
        "latency timer, ms": _latency_timer(ttys / name / "device/latency_timer"),
    }


def _usb(port: str, name: str) -> str | None:
    """The maker's name and USB's numbers for it, as ``FTDI FT232R USB UART (0403:6001)``."""
    for found in list_ports.comports():
        if found.device == port or Path(found.device).name == name:
            if found.vid is None:
                return None
            words = [part for part in (found.manufacturer, found.product) if part]
            return " ".join([*words, f"({found.vid:04x}:{found.pid:04x})"])
    return None


def _driver(link: Path) -> str | None:
    return link.resolve().name if link.exists() else None


def _latency_timer(path: Path) -> float | None:
    try:
        return float(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None

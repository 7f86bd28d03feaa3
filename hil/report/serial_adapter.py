"""Identifies the serial adapter of a port, its driver, and the driver's latency timer."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from serial.tools import list_ports

_TTYS: Final = Path("/sys/class/tty")


def serial_adapter(port: str | None, *, ttys: Path = _TTYS) -> dict[str, str | float | None]:
    """Return port, adapter, driver and latency timer of a serial ``port``; ``{}`` without a port.

    ``ttys`` is the folder in which Linux describes its ports. Only some drivers have a latency timer (FTDI's, 16 ms by
    default): how long they hold bytes back, which delays a live stream. A pseudo-terminal has neither adapter nor
    timer.
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
    """Return manufacturer, product and USB ids, such as ``FTDI FT232R USB UART (0403:6001)``."""
    for found in list_ports.comports():
        if found.device == port or Path(found.device).name == name:
            if found.vid is None:
                return None
            names = [part for part in (found.manufacturer, found.product) if part]
            return " ".join([*names, f"({found.vid:04x}:{found.pid:04x})"])
    return None


def _driver(link: Path) -> str | None:
    return link.resolve().name if link.exists() else None


def _latency_timer(path: Path) -> float | None:
    try:
        return float(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None

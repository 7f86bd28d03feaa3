"""Finds serial ports: those of this machine, and those that are a blaster's by their USB identity."""

from __future__ import annotations

from typing import Final, NamedTuple

from serial.tools import list_ports

USB_VENDOR: Final = 0x2E8A
"""Vendor id of Raspberry Pi: the blaster's board is an RP2040."""


class BlasterPort(NamedTuple):
    """A serial port with a blaster's USB identity."""

    path: str
    serial_number: str


def find_blasters() -> list[BlasterPort]:
    """Return the ports whose USB vendor is the blaster's, sorted by path. Takes milliseconds: not for the event loop."""
    ports = [port for port in list_ports.comports() if port.vid == USB_VENDOR]
    return [BlasterPort(port.device, port.serial_number or "") for port in sorted(ports, key=lambda port: port.device)]


def all_ports() -> list[tuple[str, str]]:
    """Return path and description of every serial port of this machine, sorted by path."""
    return sorted((port.device, port.description or "") for port in list_ports.comports())

"""Faults on the device's side of a link, at known times and reproducible. No I/O.

A fault is a class with numbers as parameters; :class:`DeviceFaults` applies all the faults of one device.
"""

from hil.emulated.faults.device_faults import DeviceFaults
from hil.emulated.faults.fault import Packet
from hil.emulated.faults.parsing import FAULTS, parse_fault

__all__ = ["FAULTS", "DeviceFaults", "Packet", "parse_fault"]

"""What can go wrong on the device's side of a link, at known times and reproducibly. Without any I/O.

A fault is a class with numbers for parameters; :class:`DeviceFaults` is all the faults of one device.
"""

from hil.emulated.faults.device_faults import DeviceFaults
from hil.emulated.faults.fault import Packet
from hil.emulated.faults.parsing import FAULTS, parse_fault

__all__ = ["FAULTS", "DeviceFaults", "Packet", "parse_fault"]

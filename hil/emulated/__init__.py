"""An emulated blaster: everything that a host can observe of a real one, on a pseudo-terminal or a TCP port.

In a program: give an :class:`EmulatedDevice` a port and samples, and run its ``run`` as a task. On the command line:
``stinger emulate``. ``docs/emulator.md`` describes both.
"""

from hil.emulated.blaster import EmulatedBlaster
from hil.emulated.device import DeviceOptions, EmulatedDevice
from hil.emulated.faults import FAULTS, DeviceFaults, parse_fault
from hil.emulated.journal import ENTRY_DTYPE, Journal
from hil.emulated.links import Firmware
from hil.emulated.playback import PlaybackBlock, play_recordings, play_synthetic
from hil.emulated.port import Port
from hil.emulated.pty_port import PtyPort
from hil.emulated.tcp_port import TcpPort
from hil.emulated.wakeup_timer import WakeupTimer

__all__ = [
    "ENTRY_DTYPE",
    "FAULTS",
    "DeviceFaults",
    "DeviceOptions",
    "EmulatedBlaster",
    "EmulatedDevice",
    "Firmware",
    "Journal",
    "PlaybackBlock",
    "Port",
    "PtyPort",
    "TcpPort",
    "WakeupTimer",
    "parse_fault",
    "play_recordings",
    "play_synthetic",
]

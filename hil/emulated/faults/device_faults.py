"""All the faults of one device, applied in the order in which a sample passes them."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable

from hil.emulated.faults.commands import Busy, Chatter, CutLog, Slow, UploadFault
from hil.emulated.faults.fault import Fault, Packet
from hil.emulated.faults.frames import FrameFault
from hil.emulated.faults.power import Reboot, Silent, Unplug
from hil.emulated.faults.sensor import Rate, SensorFault
from hil.emulated.faults.timing import Drift, Jitter, Jump, Stall, Wrap
from stinger.sample import CLOCK_WRAP_MS, SampleArray


class DeviceFaults:
    """Faults of the same kind go one after another, in the order given. ``seed`` decides what chance does.

    ``t_s`` is in seconds of the device's schedule everywhere, and must not fall from call to call.
    """

    def __init__(self, faults: Iterable[Fault] = (), *, seed: str = "0") -> None:
        armed = [copy.deepcopy(fault) for fault in faults]
        for position, fault in enumerate(armed):
            fault.arm(f"{seed}/{position}")
        self._sensor = [fault for fault in armed if isinstance(fault, SensorFault)]
        self._frames = [fault for fault in armed if isinstance(fault, FrameFault)]
        self._late = [fault for fault in armed if isinstance(fault, Stall | Jitter)]
        self._drifts = [fault for fault in armed if isinstance(fault, Drift)]
        self._jumps = [fault for fault in armed if isinstance(fault, Jump)]
        self._wraps = [fault for fault in armed if isinstance(fault, Wrap)]
        self._reboots = [fault for fault in armed if isinstance(fault, Reboot)]
        self._unplugs = [
            fault for fault in armed if isinstance(fault, Unplug) or (isinstance(fault, Reboot) and not fault.port)
        ]
        self._silences = [fault for fault in armed if isinstance(fault, Silent)]
        self._rates = [fault for fault in armed if isinstance(fault, Rate)]
        self._uploads = [fault for fault in armed if isinstance(fault, UploadFault)]
        self._busy = [fault for fault in armed if isinstance(fault, Busy)]
        self._answers = [fault for fault in armed if isinstance(fault, CutLog | Chatter)]
        self._slow = [fault for fault in armed if isinstance(fault, Slow)]

    def taken_s(self, t_s: float) -> float:
        """When, by a true clock, the sample of ``t_s`` is taken."""
        return t_s - sum(fault.ahead_s(t_s) for fault in self._drifts)

    def sample(self, sample: SampleArray, t_s: float) -> SampleArray:
        """What the sensor gives instead of ``sample`` ``(1,)``."""
        for fault in self._sensor:
            sample = fault.take(sample, t_s)
        return sample

    def clock_ms(self, time_ms: int, t_s: float) -> int:
        """What the device's clock shows, without its wraps, when it should show ``time_ms``."""
        boots = [boot_s for fault in self._reboots if (boot_s := fault.last_boot_s(t_s)) is not None]
        if boots:
            time_ms = round((t_s - max(boots)) * 1000)
        elif self._wraps:
            time_ms = round((t_s - self._wraps[0].before) * 1000) + CLOCK_WRAP_MS
        since_s = max(boots, default=-1.0)
        return max(0, time_ms - sum(fault.behind_ms(since_s, t_s) for fault in self._jumps))

    def packets(self, packet: Packet, t_s: float) -> list[Packet]:
        """What is sent instead of ``packet``, in order."""
        packets = [packet]
        for fault in self._frames:
            packets = [sent for taken in packets for sent in fault.take(taken, t_s)]
        return packets

    def delay_s(self, t_s: float) -> float:
        """By how much later what is due at ``t_s`` is sent."""
        return max((fault.delay_s(t_s) for fault in self._late), default=0.0)

    def rate_hz(self, wanted_hz: int, t_s: float) -> int:
        """The rate of the stream when the host wants ``wanted_hz``."""
        return next((int(fault.hz) for fault in self._rates if fault.active(t_s)), wanted_hz)

    def powered(self, t_s: float) -> bool:
        """Whether the device is on."""
        return not any(fault.active(t_s) for fault in self._reboots)

    def boots(self, t_s: float) -> int:
        """How many times it has started over."""
        return sum(fault.ended(t_s) for fault in self._reboots)

    def plugged(self, t_s: float) -> bool:
        """Whether its port is there."""
        return not any(fault.active(t_s) for fault in self._unplugs)

    def silent(self, t_s: float) -> bool:
        """Whether it sends nothing."""
        return any(fault.active(t_s) for fault in self._silences)

    def upload(self, piece: bytes, awaited: int, t_s: float) -> bytes:
        """What arrives of a piece of an upload, of which ``awaited`` bytes were missing before it."""
        for fault in self._uploads:
            piece = fault.take(piece, awaited, t_s)
        return piece

    def busy(self, t_s: float) -> bool:
        """Whether the log or upload that is asked for now is refused; each call is one."""
        return any(fault.strikes(t_s) for fault in self._busy)

    def answer(self, answer: bytes, t_s: float) -> bytes:
        """What is sent instead of an answer."""
        for fault in self._answers:
            answer = fault.take(answer, t_s)
        return answer

    def answer_bytes_s(self, t_s: float) -> float:
        """How many bytes of answers are sent in a second at most."""
        return min((1000 * fault.kb for fault in self._slow if fault.active(t_s)), default=math.inf)

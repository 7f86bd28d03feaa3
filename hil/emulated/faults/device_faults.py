"""Applies all the faults of one device, in the order in which a sample meets them."""

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
    """The faults of one device; those of the same kind apply one after another, in the order given.

    Random numbers follow from ``seed``. Every ``t_s`` is in seconds of the device's schedule, and must not decrease
    from call to call.
    """

    def __init__(self, faults: Iterable[Fault] = (), *, seed: str = "0") -> None:
        seeded = [copy.deepcopy(fault) for fault in faults]
        for position, fault in enumerate(seeded):
            fault.seed(f"{seed}/{position}")
        self._sensor = [fault for fault in seeded if isinstance(fault, SensorFault)]
        self._frames = [fault for fault in seeded if isinstance(fault, FrameFault)]
        self._delays = [fault for fault in seeded if isinstance(fault, Stall | Jitter)]
        self._drifts = [fault for fault in seeded if isinstance(fault, Drift)]
        self._jumps = [fault for fault in seeded if isinstance(fault, Jump)]
        self._wraps = [fault for fault in seeded if isinstance(fault, Wrap)]
        self._reboots = [fault for fault in seeded if isinstance(fault, Reboot)]
        self._unplugs = [
            fault for fault in seeded if isinstance(fault, Unplug) or (isinstance(fault, Reboot) and not fault.port)
        ]
        self._silences = [fault for fault in seeded if isinstance(fault, Silent)]
        self._rates = [fault for fault in seeded if isinstance(fault, Rate)]
        self._uploads = [fault for fault in seeded if isinstance(fault, UploadFault)]
        self._refusals = [fault for fault in seeded if isinstance(fault, Busy)]
        self._answers = [fault for fault in seeded if isinstance(fault, CutLog | Chatter)]
        self._slow = [fault for fault in seeded if isinstance(fault, Slow)]

    def taken_s(self, t_s: float) -> float:
        """Return when, by a true clock, the sample of ``t_s`` is taken."""
        return t_s - sum(fault.ahead_s(t_s) for fault in self._drifts)

    def sample(self, sample: SampleArray, t_s: float) -> SampleArray:
        """Return what the sensor measures instead of ``sample`` ``(1,)``."""
        for fault in self._sensor:
            sample = fault.apply(sample, t_s)
        return sample

    def clock_ms(self, time_ms: int, t_s: float) -> int:
        """Return what the device's clock shows, unwrapped, when it should show ``time_ms``."""
        boots = [boot_s for fault in self._reboots if (boot_s := fault.last_boot_s(t_s)) is not None]
        if boots:
            time_ms = round((t_s - max(boots)) * 1000)
        elif self._wraps:
            time_ms = round((t_s - self._wraps[0].before) * 1000) + CLOCK_WRAP_MS
        since_s = max(boots, default=-1.0)
        return max(0, time_ms - sum(fault.behind_ms(since_s, t_s) for fault in self._jumps))

    def packets(self, packet: Packet, t_s: float) -> list[Packet]:
        """Return what is sent instead of ``packet``, in order."""
        packets = [packet]
        for fault in self._frames:
            packets = [sent for taken in packets for sent in fault.apply(taken, t_s)]
        return packets

    def delay_s(self, t_s: float) -> float:
        """Return the delay of what is due at ``t_s``, in seconds."""
        return max((fault.delay_s(t_s) for fault in self._delays), default=0.0)

    def rate_hz(self, requested_hz: int, t_s: float) -> int:
        """Return the rate of the stream when the host requested ``requested_hz``."""
        return next((int(fault.hz) for fault in self._rates if fault.active(t_s)), requested_hz)

    def powered(self, t_s: float) -> bool:
        """Return whether the device is on."""
        return not any(fault.active(t_s) for fault in self._reboots)

    def boots(self, t_s: float) -> int:
        """Return how many times the device has rebooted."""
        return sum(fault.times_ended(t_s) for fault in self._reboots)

    def plugged_in(self, t_s: float) -> bool:
        """Return whether the port is present."""
        return not any(fault.active(t_s) for fault in self._unplugs)

    def silent(self, t_s: float) -> bool:
        """Return whether the device sends nothing."""
        return any(fault.active(t_s) for fault in self._silences)

    def upload(self, chunk: bytes, awaited: int, t_s: float) -> bytes:
        """Return the part of a chunk of an upload that arrives; ``awaited`` bytes were missing before the chunk."""
        for fault in self._uploads:
            chunk = fault.apply(chunk, awaited, t_s)
        return chunk

    def busy(self, t_s: float) -> bool:
        """Draw whether a request of the log or an upload is refused as busy; call it once per request."""
        return any(fault.draw(t_s) for fault in self._refusals)

    def answer(self, answer: bytes, t_s: float) -> bytes:
        """Return what is sent instead of an answer."""
        for fault in self._answers:
            answer = fault.apply(answer, t_s)
        return answer

    def answer_bytes_per_s(self, t_s: float) -> float:
        """Return the limit for answers, in bytes per second."""
        return min((1000 * fault.kb for fault in self._slow if fault.active(t_s)), default=math.inf)

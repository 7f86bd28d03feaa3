"""An emulated device: a blaster, its link and its faults, playing samples on an absolute schedule."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hil.emulated.blaster import EmulatedBlaster
from hil.emulated.faults import DeviceFaults, Packet
from hil.emulated.journal import Written
from hil.emulated.links import Firmware, Link, open_link
from hil.emulated.pacing import Pacing
from hil.emulated.playback import PlaybackBlock
from hil.emulated.port import Port
from hil.emulated.transmitter import Transmitter
from hil.emulated.wakeup_timer import WakeupTimer
from stinger.sample import CLOCK_WRAP_MS, SampleArray

WATCH_S: Final = 0.025
"""How often a device looks whether a host came, an upload stands still, or a fault begins or ends."""
BOOT_TEXT: Final = b"\r\nStinger emulated blaster, booting\r\n[ml] ready\r\n"

_TURN_SAMPLES: Final = 32
"""A device that is behind lets others have their turn after so many samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOptions:
    """How a device behaves, but for what it plays and where it is found."""

    firmware: Firmware = Firmware.LIVE
    speed: float = 1.0
    """Seconds of its schedule in a second."""
    wait: bool = False
    """Whether it begins to play only when a host first asks for the stream."""
    phase_s: float = 0.0
    """By how much later it begins, so that many devices do not all speak at one moment."""


class EmulatedDevice:
    """Plays ``samples`` at ``port`` while :meth:`run` runs. ``blaster.journal`` tells what it did, ``out`` counts."""

    def __init__(
        self,
        port: Port,
        samples: Iterator[PlaybackBlock],
        *,
        blaster: EmulatedBlaster | None = None,
        plan: DeviceFaults | None = None,
        options: DeviceOptions | None = None,
        alarm: WakeupTimer,
        making: asyncio.Lock | None = None,
    ) -> None:
        """``alarm`` and ``making`` may be shared by all devices of an event loop.

        ``making`` is held while samples are made up in a thread: several such threads would keep the loop from its
        turn for tens of milliseconds.
        """
        self.port = port
        self.options = options or DeviceOptions()
        self.blaster = blaster or EmulatedBlaster()
        self.ready = asyncio.Event()
        """The port is there."""
        self.ended = asyncio.Event()
        """The last sample has been played; the device stays, and answers."""
        self._samples = samples
        self._plan = plan or DeviceFaults()
        self._alarm = alarm
        self._making = making or asyncio.Lock()
        self.out = Transmitter(port, self._plan, self.blaster.journal, alarm, speed=self.options.speed)
        self._link: Link = open_link(self.options.firmware, self.blaster)
        self._pacing = Pacing()
        self._asked = asyncio.Event()
        self._start_ns: int | None = None
        """When, on the monotonic clock, the first sample is due; ``None`` while the device waits for a host."""
        self._clock: tuple[int, int] = (0, 0)
        self._boots = 0
        self._plugged = False
        self._followed_s = 0.0
        self.blaster.refuses = lambda: self._plan.busy(self._now_s())

    async def run(self) -> None:
        """Be there, until cancelled; then the port is gone. Raises :class:`~stinger.errors.InputError` if it cannot be."""
        try:
            self._follow_faults(0.0)
            self.ready.set()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.out.run(), name=f"late packets of {self.port.address}")
                tasks.create_task(self._watch(), name=f"port of {self.port.address}")
                tasks.create_task(self._play(), name=f"samples of {self.port.address}")
        finally:
            self.port.unplug()

    def host_connected(self) -> None:
        """See :class:`~hil.emulated.port.PortListener`."""
        self.blaster.host(connected=True)

    def host_disconnected(self) -> None:
        """See :class:`~hil.emulated.port.PortListener`."""
        self._link.stream_hz = 0
        self.out.forget()
        self.blaster.host(connected=False)

    def data_received_from_host(self, data: bytes) -> None:
        """See :class:`~hil.emulated.port.PortListener`."""
        t_s = self._now_s()
        if not self._plan.powered(t_s):
            return
        streamed = self._link.stream_hz
        self._pass_time()
        if self._link.awaited:
            data = self._plan.upload(data, self._link.awaited, t_s)
        self._answer(self._link.receive(data, time.monotonic()), t_s)
        if self._link.stream_hz and not streamed:
            self._pacing.restart()
            self._asked.set()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            t_s = self._now_s()
            self._follow_faults(t_s)
            if self._plugged:
                self.port.watch()
            if self.port.line is not None:
                self._answer(self._link.tick(time.monotonic()), t_s)

    async def _play(self) -> None:
        if self.options.wait:
            await self._asked.wait()
        played = await self._next()
        self._start_ns = time.monotonic_ns() + round(self.options.phase_s * 1e9)
        coming: asyncio.Task[PlaybackBlock | None] | None = None
        try:
            while played is not None:
                coming = asyncio.create_task(self._next(), name=f"next samples of {self.port.address}")
                await self._play_block(played, self._start_ns)
                played = await coming
        finally:
            if coming is not None:
                coming.cancel()
        self.ended.set()

    async def _next(self) -> PlaybackBlock | None:
        # A synthetic round takes some milliseconds to make up, in which other samples are due.
        async with self._making:
            return await asyncio.to_thread(next, self._samples, None)

    async def _play_block(self, played: PlaybackBlock, start_ns: int) -> None:
        ns_per_s = 1e9 / self.options.speed
        offsets, times = played.offset_ms.tolist(), played.time_ms.tolist()
        for i, (offset_ms, time_ms) in enumerate(zip(offsets, times, strict=True)):
            if not i % _TURN_SAMPLES:
                await asyncio.sleep(0)
            t_s = offset_ms / 1000
            due_ns = start_ns + round(self._plan.taken_s(t_s) * ns_per_s)
            shown_ms = self._plan.clock_ms(time_ms, t_s)
            sample = _shown_at(shown_ms, self._plan.sample(played.samples[i : i + 1], t_s))
            # What can be done before the sample is due is done before.
            frame = self._encode(sample, t_s)
            await self._alarm.until(due_ns)
            if self._boots < self._plan.boots(t_s):
                self._follow_faults(t_s)
            if self._plan.powered(t_s):
                await self._emit(frame, _Taken(sample, shown_ms, due_ns, t_s))

    def _encode(self, sample: SampleArray, t_s: float) -> _Encoded | None:
        """The first row of ``sample`` as it goes over the link as it is now; ``None`` while no host wants samples."""
        link = self._link
        if not link.stream_hz:
            return None
        rate_hz = self._plan.rate_hz(link.stream_hz, t_s)
        rows = self._pacing.rows(rate_hz)
        sequence = link.sequence
        data = link.samples(sample) if rows else b""
        return _Encoded(link, link.sequence, data, sequence if rows else -1, rows, rate_hz)

    async def _emit(self, frame: _Encoded | None, taken: _Taken) -> None:
        """Send the first row, then let the blaster have the sample, then send its other rows."""
        if frame is None or not frame.fits(self._link):
            frame = self._encode(taken.sample, taken.t_s)
        journal = self.blaster.journal
        written, sequence = Written(), -1
        if frame is not None and frame.rows:
            sequence = frame.sequence
            written = self.out.send(Packet(journal.count, frame.data), taken.due_ns, taken.t_s)
        self._clock = (time.monotonic_ns(), taken.shown_ms)
        number = self.blaster.take(taken.sample, taken.shown_ms, taken.due_ns)
        journal.sent(number, sequence, written)
        if frame is not None and frame.rows > 1:
            await self._repeat(frame, taken, number)

    async def _repeat(self, frame: _Encoded, taken: _Taken, number: int) -> None:
        """Send the rows of a sample after its first, evenly, until the host has enough."""
        for row in range(1, frame.rows):
            row_s = row / frame.rate_hz
            row_ns = taken.due_ns + round(row_s * 1e9 / self.options.speed)
            await self._alarm.until(row_ns)
            if self._link is not frame.link or not self._link.stream_hz:
                return
            sample = _shown_at(taken.shown_ms + int(row_s * 1000), taken.sample)
            self.out.send(Packet(number, self._link.samples(sample)), row_ns, taken.t_s + row_s)

    def _follow_faults(self, t_s: float) -> None:
        """Let the port and the power be as the faults have it at ``t_s``."""
        t_s = self._followed_s = max(t_s, self._followed_s)  # a late sample does not turn anything back
        boots = self._plan.boots(t_s)
        if boots > self._boots:
            self._boots = boots
            self.blaster.reboot()
            self._clock = (time.monotonic_ns(), 0)
            self._link = open_link(self.options.firmware, self.blaster)
            self._answer(BOOT_TEXT, t_s)
        if not self._plan.powered(t_s):
            self._link.stream_hz = 0
        plugged = self._plan.plugged(t_s)
        if plugged == self._plugged:
            return
        self._plugged = plugged
        if plugged:
            self.port.plug_in(self)
        else:
            self.port.unplug()

    def _answer(self, data: bytes, t_s: float) -> None:
        if self.port.line is not None and not self._plan.silent(t_s):
            self.port.line.send_answer(self._plan.answer(data, t_s), bytes_s=self._plan.answer_bytes_s(t_s))

    def _now_s(self) -> float:
        """Where the schedule is: 0 before it has begun."""
        if self._start_ns is None:
            return 0.0
        return max(0.0, (time.monotonic_ns() - self._start_ns) * self.options.speed / 1e9)

    def _pass_time(self) -> None:
        since_ns, shown_ms = self._clock
        if since_ns:
            self.blaster.pass_time(shown_ms + round((time.monotonic_ns() - since_ns) * self.options.speed / 1e6))


@dataclass(frozen=True, slots=True)
class _Taken:
    """A sample ``(1,)``, as the device's clock and sensor have it."""

    sample: SampleArray
    shown_ms: int
    due_ns: int
    t_s: float


@dataclass(frozen=True, slots=True)
class _Encoded:
    """The first of a sample's rows, and how many there are."""

    link: Link
    next_sequence: int
    data: bytes
    sequence: int
    rows: int
    rate_hz: int

    def fits(self, link: Link) -> bool:
        """Whether it is still what ``link`` has to send next."""
        return link is self.link and link.stream_hz > 0 and link.sequence == self.next_sequence


def _shown_at(shown_ms: int, sample: SampleArray) -> SampleArray:
    """``sample`` with the timestamp ``shown_ms``, as a copy if it has another."""
    if shown_ms % CLOCK_WRAP_MS == int(sample["timestamp_ms"][0]):
        return sample
    sample = sample.copy()
    sample["timestamp_ms"] = shown_ms % CLOCK_WRAP_MS
    return sample

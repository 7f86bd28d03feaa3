"""An emulated device: a blaster, its link and its faults, which plays samples on an absolute schedule."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hil.emulated.blaster import EmulatedBlaster
from hil.emulated.faults import DeviceFaults, Packet
from hil.emulated.journal import Journal, Written
from hil.emulated.links import Firmware, Link, open_link
from hil.emulated.pacing import Pacing
from hil.emulated.playback import PlaybackBlock
from hil.emulated.port import Port
from hil.emulated.sample_rows import EncodedSample, TakenSample, with_timestamp
from hil.emulated.transmitter import Transmitter
from hil.emulated.wakeup_timer import WakeupTimer
from stinger.sample import SampleArray
from stinger.units import NS_PER_S
from stinger.wire.commands import UPLOAD_TIMEOUT_S

POLL_S: Final = 0.025
"""Interval at which a device checks for a new host, an upload that stalls, and faults that begin or end."""
BOOT_TEXT: Final = b"\r\nStinger emulated blaster, booting\r\n[ml] ready\r\n"

_YIELD_SAMPLES: Final = 32
"""A device that is late yields to the event loop after this many samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOptions:
    """Options of a device, apart from its port and samples."""

    firmware: Firmware = Firmware.LIVE
    speed: float = 1.0
    """Playback speed: seconds of its schedule per second."""
    wait: bool = False
    """Whether the playback only starts when a host first requests the stream."""
    phase_s: float = 0.0
    """Delay of the schedule, so that many devices do not all send at the same time."""
    upload_timeout_s: float = UPLOAD_TIMEOUT_S
    """How long an upload may pause before the device gives it up."""


class EmulatedDevice:
    """Plays ``samples`` at ``port`` while :meth:`run` runs.

    ``blaster.journal`` records each sample; ``transmitter`` counts packets.
    """

    def __init__(
        self,
        port: Port,
        samples: Iterator[PlaybackBlock],
        *,
        blaster: EmulatedBlaster | None = None,
        faults: DeviceFaults | None = None,
        options: DeviceOptions | None = None,
        timer: WakeupTimer,
        generating: asyncio.Lock | None = None,
    ) -> None:
        """``timer`` and ``generating`` may be shared by all devices of an event loop.

        ``generating`` is held while a thread generates samples: several such threads at a time would delay the event
        loop by tens of milliseconds.
        """
        self.port = port
        self.options = options or DeviceOptions()
        self.blaster = blaster or EmulatedBlaster()
        self.ready = asyncio.Event()
        """Set once the port is open."""
        self.playback_ended = asyncio.Event()
        """Set when the last sample has been played; the device stays, and answers commands."""
        self._samples = samples
        self._faults = faults or DeviceFaults()
        self._timer = timer
        self._generating = generating or asyncio.Lock()
        self.transmitter = Transmitter(port, self._faults, self.blaster.journal, timer, speed=self.options.speed)
        self._link: Link = self._open_link()
        self._pacing = Pacing()
        self._stream_requested = asyncio.Event()
        self._start_ns: int | None = None
        """When the first sample is due, on the monotonic clock; ``None`` while waiting for a host."""
        self._clock: tuple[int, int] = (0, 0)
        """The device's clock: (monotonic ns, device's time in ms) at the latest sample or boot."""
        self._boots = 0
        self._plugged_in = False
        self._updated_s = 0.0
        self.blaster.refuses = lambda: self._faults.busy(self._now_s())

    @property
    def journal(self) -> Journal:
        """The journal of the blaster."""
        return self.blaster.journal

    def complete_journal(self) -> None:
        """See :class:`~hil.emulated.journal_file.JournalOwner`."""
        self.blaster.inference.catch_up()

    async def run(self) -> None:
        """Run until cancelled, then unplug. Raises :class:`~stinger.errors.InputError` if the port cannot be opened."""
        try:
            self._update_power_and_port(0.0)
            self.ready.set()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.transmitter.run(), name=f"delayed packets of {self.port.address}")
                tasks.create_task(self._poll(), name=f"port of {self.port.address}")
                tasks.create_task(self._play(), name=f"samples of {self.port.address}")
        finally:
            self.port.unplug()

    def host_connected(self) -> None:
        """See :class:`~hil.emulated.port.PortListener`."""
        self.blaster.set_host_connected(connected=True)

    def host_disconnected(self) -> None:
        """See :class:`~hil.emulated.port.PortListener`."""
        self._end_stream()
        self.transmitter.discard_delayed()
        self.blaster.set_host_connected(connected=False)

    def data_received(self, data: bytes) -> None:
        """See :class:`~hil.emulated.port.PortListener`."""
        t_s = self._now_s()
        if not self._faults.powered(t_s):
            return
        streamed = self._link.stream_hz
        self._advance_clock()
        if self._link.awaited:
            data = self._faults.upload(data, self._link.awaited, t_s)
        self._answer(self._link.receive(data, time.monotonic()), t_s)
        self.blaster.set_streaming(streaming=self._link.stream_hz > 0)
        if self._link.stream_hz and not streamed:
            self._pacing.restart()
            self._stream_requested.set()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            t_s = self._now_s()
            self._update_power_and_port(t_s)
            if self._plugged_in:
                self.port.poll()
            if self.port.connection is not None:
                self._answer(self._link.tick(time.monotonic()), t_s)

    async def _play(self) -> None:
        if self.options.wait:
            await self._stream_requested.wait()
        block = await self._next_block()
        self._start_ns = time.monotonic_ns() + round(self.options.phase_s * NS_PER_S)
        following: asyncio.Task[PlaybackBlock | None] | None = None
        try:
            while block is not None:
                following = asyncio.create_task(self._next_block(), name=f"next samples of {self.port.address}")
                await self._play_block(block, self._start_ns)
                block = await following
        finally:
            if following is not None:
                following.cancel()
        self.playback_ended.set()

    async def _next_block(self) -> PlaybackBlock | None:
        # In a thread: generating a synthetic block takes some milliseconds, in which other samples are due.
        async with self._generating:
            return await asyncio.to_thread(next, self._samples, None)

    async def _play_block(self, block: PlaybackBlock, start_ns: int) -> None:
        ns_per_s = NS_PER_S / self.options.speed
        offsets, times = block.offset_ms.tolist(), block.time_ms.tolist()
        for i, (offset_ms, time_ms) in enumerate(zip(offsets, times, strict=True)):
            if not i % _YIELD_SAMPLES:
                await asyncio.sleep(0)
            t_s = offset_ms / 1000
            due_ns = start_ns + round(self._faults.taken_s(t_s) * ns_per_s)
            clock_ms = self._faults.clock_ms(time_ms, t_s)
            sample = with_timestamp(clock_ms, self._faults.sample(block.samples[i : i + 1], t_s))
            # Encoding before the sample is due shortens the time from due to written.
            frame = self._encode(sample, t_s)
            await self._timer.wait_until(due_ns)
            if self._boots < self._faults.boots(t_s):
                self._update_power_and_port(t_s)
            if self._faults.powered(t_s):
                await self._emit(frame, TakenSample(sample, clock_ms, due_ns, t_s))

    def _encode(self, sample: SampleArray, t_s: float) -> EncodedSample | None:
        """Encode ``sample`` ``(1,)`` for the current link; ``None`` while no host requests samples."""
        link = self._link
        if not link.stream_hz:
            return None
        rate_hz = self._faults.rate_hz(link.stream_hz, t_s)
        rows = self._pacing.rows(rate_hz)
        sequence = link.sequence
        data = link.samples(sample) if rows else b""
        return EncodedSample(link, link.sequence, data, sequence if rows else -1, rows, rate_hz)

    async def _emit(self, frame: EncodedSample | None, taken: TakenSample) -> None:
        """Send the first row, then let the blaster process the sample, then send the other rows."""
        if frame is None or not frame.is_current(self._link):
            frame = self._encode(taken.sample, taken.t_s)
        journal = self.blaster.journal
        written, sequence = Written(), -1
        if frame is not None and frame.rows:
            sequence = frame.sequence
            written = self.transmitter.send(Packet(journal.count, frame.data), taken.due_ns, taken.t_s)
        self._clock = (time.monotonic_ns(), taken.clock_ms)
        number = self.blaster.take_sample(taken.sample, taken.clock_ms, taken.due_ns)
        journal.set_sent(number, sequence, written)
        if frame is not None and frame.rows > 1:
            await self._send_further_rows(frame, taken, number)

    async def _send_further_rows(self, frame: EncodedSample, taken: TakenSample, number: int) -> None:
        """Send the rows of a sample after its first, at equal intervals, as long as the stream is requested."""
        for row in range(1, frame.rows):
            row_s = row / frame.rate_hz
            row_ns = taken.due_ns + round(row_s * NS_PER_S / self.options.speed)
            await self._timer.wait_until(row_ns)
            if self._link is not frame.link or not self._link.stream_hz:
                return
            sample = with_timestamp(taken.clock_ms + int(row_s * 1000), taken.sample)
            self.transmitter.send(Packet(number, self._link.samples(sample)), row_ns, taken.t_s + row_s)

    def _update_power_and_port(self, t_s: float) -> None:
        """Reboot, plug in or unplug, as the faults require at ``t_s``."""
        t_s = self._updated_s = max(t_s, self._updated_s)  # a late sample must not undo anything
        boots = self._faults.boots(t_s)
        if boots > self._boots:
            self._boots = boots
            self.blaster.reboot()
            self._clock = (time.monotonic_ns(), 0)
            self._link = self._open_link()
            self._end_stream()
            self._answer(BOOT_TEXT, t_s)
        if not self._faults.powered(t_s):
            self._end_stream()
        plugged_in = self._faults.plugged_in(t_s)
        if plugged_in == self._plugged_in:
            return
        self._plugged_in = plugged_in
        if plugged_in:
            self._link = self._open_link()
            self.port.plug_in(self)
        else:
            self.port.unplug()

    def _end_stream(self) -> None:
        self._link.stream_hz = 0
        self.blaster.set_streaming(streaming=False)

    def _open_link(self) -> Link:
        return open_link(self.options.firmware, self.blaster, upload_timeout_s=self.options.upload_timeout_s)

    def _answer(self, data: bytes, t_s: float) -> None:
        connection = self.port.connection
        if connection is not None and not self._faults.silent(t_s):
            connection.send_answer(self._faults.answer(data, t_s), bytes_per_s=self._faults.answer_bytes_per_s(t_s))

    def _now_s(self) -> float:
        """Return the current time of the schedule; 0 before it has begun."""
        if self._start_ns is None:
            return 0.0
        return max(0.0, (time.monotonic_ns() - self._start_ns) * self.options.speed / NS_PER_S)

    def _advance_clock(self) -> None:
        since_ns, clock_ms = self._clock
        if since_ns:
            self.blaster.advance_clock(clock_ms + round((time.monotonic_ns() - since_ns) * self.options.speed / 1e6))

"""Transmits packets to the host.

It applies the faults of the wire, waits for the due time, and updates the journal.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from hil.emulated.faults import DeviceFaults, Packet
from hil.emulated.journal import Journal, Written
from hil.emulated.lateness import Lateness
from hil.emulated.port import Port
from hil.emulated.wakeup_timer import WakeupTimer
from stinger.units import NS_PER_S


@dataclass(slots=True)
class PacketCounts:
    """Counts of packets since the start. A packet is a frame, or a line of the text stream."""

    written: int = 0
    dropped: int = 0
    """Not written, as the host did not read and there was no room."""
    withheld: int = 0
    """Not written, because of a fault."""


class Transmitter:
    """Writes packets in order; packets delayed by a fault are written by a task (:meth:`run`)."""

    def __init__(self, port: Port, faults: DeviceFaults, journal: Journal, timer: WakeupTimer, *, speed: float) -> None:
        self.counts = PacketCounts()
        self.lateness = Lateness()
        self._port = port
        self._faults = faults
        self._journal = journal
        self._timer = timer
        self._ns_per_s = NS_PER_S / speed
        self._delayed: deque[tuple[int, Packet, float]] = deque()
        self._has_delayed = asyncio.Event()

    def send(self, packet: Packet, due_ns: int, t_s: float) -> Written:
        """Apply the faults to ``packet``, and send the result, now or delayed.

        Return how it was written, if that was now. A packet that is written later, as it is delayed or comes after one
        that is, updates the journal then.
        """
        packets = self._faults.packets(packet, t_s)
        self.counts.withheld += not packets
        delay_s = self._faults.delay_s(t_s)
        written = Written()
        for sent in packets:
            if delay_s or self._delayed:
                send_ns = due_ns + round(delay_s * self._ns_per_s)
                if self._delayed:
                    send_ns = max(send_ns, self._delayed[-1][0])
                self._delayed.append((send_ns, sent, t_s))
                self._has_delayed.set()
            else:
                now_ns = self._write(sent, due_ns, t_s)
                if now_ns and sent.number == packet.number:
                    written = Written(written.at_ns or now_ns, written.intact or sent.intact)
        return written

    async def run(self) -> None:
        """Write delayed packets when they are due, until cancelled."""
        while True:
            await self._has_delayed.wait()
            self._has_delayed.clear()
            while self._delayed:
                await self._timer.wait_until(self._delayed[0][0])
                if self._delayed:
                    send_ns, packet, t_s = self._delayed.popleft()
                    self._write(packet, send_ns, t_s)

    def discard_delayed(self) -> None:
        """Discard delayed packets: the link that they were for is closed."""
        self._delayed.clear()

    def _write(self, packet: Packet, due_ns: int, t_s: float) -> int:
        """Write ``packet``, and return the time; 0 if it could not be written."""
        connection = self._port.connection
        if connection is None:
            return 0
        if self._faults.silent(t_s):
            self.counts.withheld += 1
            return 0
        now_ns = time.monotonic_ns()
        if not connection.send_frame(packet.data):
            self.counts.dropped += 1
            return 0
        self.counts.written += 1
        if packet.number >= 0:
            self._journal.set_written(packet.number, Written(now_ns, packet.intact))
            self.lateness.add(now_ns - due_ns)
        return now_ns

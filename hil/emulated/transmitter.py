"""The last step of a sample: past the faults of the wire, at its time, to the host, and into the journal."""

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


@dataclass(slots=True)
class WireCounts:
    """Of packets, since the start. A packet is a frame, or a line of the text stream."""

    written: int = 0
    dropped: int = 0
    """The host did not read, so there was no room."""
    withheld: int = 0
    """A fault lost them, or kept the device silent."""


class Transmitter:
    """Writes packets in their order, those that a fault makes late by a task of its own (:meth:`run`)."""

    def __init__(self, port: Port, plan: DeviceFaults, journal: Journal, alarm: WakeupTimer, *, speed: float) -> None:
        self.counts = WireCounts()
        self.lateness = Lateness()
        self._port = port
        self._plan = plan
        self._journal = journal
        self._alarm = alarm
        self._ns_per_s = 1e9 / speed
        self._late: deque[tuple[int, Packet, float]] = deque()
        self._filled = asyncio.Event()

    def send(self, packet: Packet, due_ns: int, t_s: float) -> Written:
        """Send what the faults make of ``packet``, now or later.

        Returns how it was written now, if it was. What is written later, or behind another packet, is entered in the
        journal by itself.
        """
        packets = self._plan.packets(packet, t_s)
        self.counts.withheld += not packets
        delay_s = self._plan.delay_s(t_s)
        written = Written()
        for sent in packets:
            if delay_s or self._late:
                send_ns = due_ns + round(delay_s * self._ns_per_s)
                if self._late:
                    send_ns = max(send_ns, self._late[-1][0])
                self._late.append((send_ns, sent, t_s))
                self._filled.set()
            else:
                now_ns = self._write(sent, due_ns, t_s)
                if now_ns and sent.number == packet.number:
                    written = Written(written.at_ns or now_ns, written.intact or sent.intact)
        return written

    async def run(self) -> None:
        """Write what is late, until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._late:
                await self._alarm.until(self._late[0][0])
                if self._late:
                    send_ns, packet, t_s = self._late.popleft()
                    self._write(packet, send_ns, t_s)

    def forget(self) -> None:
        """Throw away what is late: the link that it was for is gone."""
        self._late.clear()

    def _write(self, packet: Packet, due_ns: int, t_s: float) -> int:
        """Write ``packet``; return when, or 0 if it could not be."""
        line = self._port.line
        if line is None:
            return 0
        if self._plan.silent(t_s):
            self.counts.withheld += 1
            return 0
        now_ns = time.monotonic_ns()
        if not line.send_frame(packet.data):
            self.counts.dropped += 1
            return 0
        self.counts.written += 1
        if packet.number >= 0:
            self._journal.written(packet.number, Written(now_ns, packet.intact))
            self.lateness.add(now_ns - due_ns)
        return now_ns

"""A device under test whose blaster is ARM code in QEMU.

It passes its bytes to a host's port, with faults and a journal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import numpy as np

from hil.emulated.device import POLL_S
from hil.emulated.faults import DeviceFaults, Packet
from hil.emulated.faults.fault import Fault
from hil.emulated.faults.frames import FrameFault
from hil.emulated.faults.power import Reboot, Silent, Unplug
from hil.emulated.faults.timing import Jitter, Stall
from hil.emulated.journal import Journal
from hil.emulated.port import Port
from hil.emulated.transmitter import Transmitter
from hil.emulated.wakeup_timer import WakeupTimer
from hil.qemu.frame_splitter import FrameSplitter, ScoredFrame
from hil.qemu.machine import QemuMachine, run_machine
from stinger.errors import InputError
from stinger.units import NS_PER_S

STOP_STREAM: Final = b"\nMLSTREAM 0\n"
"""Sent to the device when the host closes the port, as the serial port in QEMU has no DTR line."""

_POSSIBLE: Final = (FrameFault, Stall, Jitter, Reboot, Unplug, Silent)


def check_faults(faults: Sequence[Fault]) -> None:
    """Raise :class:`InputError` for a fault of anything but wire, port and power: only the firmware could cause it."""
    for fault in faults:
        if not isinstance(fault, _POSSIBLE):
            raise InputError(
                f"the fault {type(fault).__name__.lower()} is not possible with a device in QEMU, only those of the wire, "
                "the power and the port"
            )


class QemuDevice:
    """Runs the image at ``port`` while :meth:`run` runs.

    ``settings`` and ``recording`` are blocks of :mod:`hil.qemu.image`. The journal gets each sample that the device
    sends, with the device's own score. ``due_ns`` is when its frame came out of QEMU.
    """

    def __init__(
        self,
        port: Port,
        settings: bytes,
        recording: bytes,
        *,
        faults: DeviceFaults | None = None,
        timer: WakeupTimer,
    ) -> None:
        self.port = port
        self.journal = Journal()
        self.ready = asyncio.Event()
        """Set once the device runs and the port is open."""
        self._settings = settings
        self._recording = recording
        self._faults = faults or DeviceFaults()
        self.transmitter = Transmitter(port, self._faults, self.journal, timer, speed=1.0)
        self._frames = FrameSplitter()
        self._machine: QemuMachine | None = None
        self._start_ns: int | None = None
        """When the first frame came: the schedule of the faults begins then."""
        self._boots = 0
        self._plugged_in = False
        self._powered = True

    def complete_journal(self) -> None:
        """See :class:`~hil.emulated.journal_file.JournalOwner`; scores come with the samples."""

    async def run(self) -> None:
        """Run until cancelled. Raises :class:`~stinger.errors.StingerError` if QEMU or the port cannot be started."""
        async with run_machine(self._settings, self._recording) as machine:
            self._machine = machine
            try:
                await self._update(0.0)
                self.ready.set()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self.transmitter.run(), name=f"delayed packets of {self.port.address}")
                    tasks.create_task(self._poll(), name=f"port of {self.port.address}")
                    tasks.create_task(self._pass_on(machine), name=f"bytes of {self.port.address}")
            finally:
                self.port.unplug()
                self._machine = None

    def host_connected(self) -> None:
        """See :class:`~hil.emulated.port.PortListener`."""

    def host_disconnected(self) -> None:
        """See :class:`~hil.emulated.port.PortListener`."""
        self.transmitter.discard_delayed()
        if self._machine is not None:
            self._machine.write(STOP_STREAM)

    def data_received(self, data: bytes) -> None:
        """See :class:`~hil.emulated.port.PortListener`."""
        if self._machine is not None and self._powered:
            self._machine.write(data)

    async def _pass_on(self, machine: QemuMachine) -> None:
        while True:
            data = await machine.read()
            now_ns = time.monotonic_ns()
            for part in self._frames.feed(data):
                if isinstance(part, ScoredFrame):
                    self._send(part, now_ns)
                elif self.port.connection is not None and not self._faults.silent(self._now_s()):
                    self.port.connection.send_answer(part)

    def _send(self, frame: ScoredFrame, now_ns: int) -> None:
        if self._start_ns is None:
            self._start_ns = now_ns
        sample, probability = frame.sample, frame.probability
        number = self.journal.add(sample, int(sample["timestamp_ms"][0]), now_ns)
        written = self.transmitter.send(Packet(number, frame.data), now_ns, self._now_s())
        self.journal.set_sent(number, frame.sequence, written)
        self.journal.set_scores(number, np.array([probability], dtype=np.float32), np.array([frame.wheels]))

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            await self._update(self._now_s())
            if self._plugged_in:
                self.port.poll()

    async def _update(self, t_s: float) -> None:
        """Reset the device, take its power, plug it in or unplug it, as the faults require at ``t_s``."""
        assert self._machine is not None
        powered, boots = self._faults.powered(t_s), self._faults.boots(t_s)
        if powered != self._powered:
            self._powered = powered
            await self._machine.set_powered(powered=powered)
        if boots > self._boots:
            self._boots = boots
            await self._machine.reset()
            self._frames = FrameSplitter()
        plugged_in = self._faults.plugged_in(t_s)
        if plugged_in != self._plugged_in:
            self._plugged_in = plugged_in
            if plugged_in:
                self.port.plug_in(self)
            else:
                self.port.unplug()

    def _now_s(self) -> float:
        return 0.0 if self._start_ns is None else (time.monotonic_ns() - self._start_ns) / NS_PER_S

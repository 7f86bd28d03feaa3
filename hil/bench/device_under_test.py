"""Devices under test: anything that speaks the protocol at an address, and that can be started and stopped."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from hil.bench.broker import LOOPBACK, free_port
from hil.bench.processes import ChildProcess, stinger_command
from hil.emulated.journal_file import journal_paths, read_journal
from stinger.errors import InputError
from stinger.logs import write_log
from stinger.sample import SampleArray
from stinger.wording import without_user

EMULATED: Final = "emulated"
QEMU: Final = "qemu"
_KINDS: Final = ("pty", "tcp", "serial")


class DeviceUnderTest(Protocol):
    """The devices of one scenario. Other devices, such as firmware in an emulator, implement this too."""

    def sources(self) -> Sequence[str]:
        """Return the source URL of each device, without its name. Known before the devices are started."""

    async def start(self) -> None:
        """Start the devices; they send nothing before a host requests it."""

    async def stop(self) -> None:
        """Stop the devices, and let them write their journals."""

    def kill(self) -> None:
        """Kill every process that is still running."""

    def journals(self) -> Sequence[SampleArray | None]:
        """Return the journal of each device, ENTRY_DTYPE, once stopped; ``None`` for a device that keeps none."""


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """The device that a user named with ``--dut``."""

    kind: str
    address: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.address}" if self.address else self.kind

    @property
    def emulated(self) -> bool:
        """Whether the bench starts the device itself, so that it knows every sample sent."""
        return self.kind in {EMULATED, QEMU}

    @property
    def description(self) -> str:
        """What the device is, for reports."""
        return "ARM code in QEMU" if self.kind == QEMU else str(self)


def parse_device(text: str) -> DeviceSpec:
    """Parse ``emulated``, ``qemu``, ``pty:PATH``, ``tcp:HOST:PORT`` or ``serial:PORT``. Raises :class:`InputError`."""
    kind, _, address = text.partition(":")
    if text in {EMULATED, QEMU}:
        return DeviceSpec(text)
    valid = kind in _KINDS and address != ""
    if kind == "tcp":
        address = address.removeprefix("//")
        valid = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:/\[\]]+):\d{1,5}", address) is not None
    if not valid:
        raise InputError(f"--dut {without_user(text)}: expected emulated, qemu, pty:PATH, tcp:HOST:PORT or serial:PORT")
    return DeviceSpec(kind, address)


class ExternalDevice:
    """A device that the bench does not control, such as a real blaster; it keeps no journal."""

    def __init__(self, spec: DeviceSpec) -> None:
        """Raises :class:`InputError` if its port does not exist, where that can be checked."""
        if spec.kind != "tcp" and sys.platform != "win32" and not Path(spec.address).exists():
            raise InputError(f"--dut {spec}: no such port: is the blaster plugged in and switched on?")
        self._spec = spec

    def sources(self) -> Sequence[str]:
        """See :class:`DeviceUnderTest`."""
        if self._spec.kind == "tcp":
            return [f"tcp://{self._spec.address}"]
        return [f"serial://{self._spec.address}"]

    async def start(self) -> None:
        """Do nothing: it is running."""

    async def stop(self) -> None:
        """Do nothing: it keeps running."""

    def kill(self) -> None:
        """Do nothing: it keeps running."""

    def journals(self) -> Sequence[SampleArray | None]:
        """Return ``None`` for each device: it keeps no journal."""
        return [None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorOptions:
    """``count`` devices that play ``samples`` ``(n,)`` on ``link`` (pty or tcp).

    Their ``faults`` are drawn from ``seed``. Their wheels switch on at ``threshold``, which must be the daemon's.
    """

    samples: SampleArray
    count: int
    link: str
    threshold: float
    faults: Sequence[str] = ()
    seed: int = 1
    qemu: bool = False
    """Whether the device is ARM code in QEMU."""


class EmulatorProcess:
    """``stinger emulate`` as a process, which keeps a journal for each of its devices. ``folder`` holds its files."""

    def __init__(self, options: EmulatorOptions, folder: Path, *, name: str = "emulated") -> None:
        self._folder = folder
        self._count = options.count
        self._journal = folder / f"{name}.journal"
        recording = folder / f"{name}.bin"
        write_log(recording, options.samples)
        mode = "--qemu" if options.qemu else "--wait"
        command = stinger_command("emulate", str(recording), mode, "--count", str(options.count))
        if options.link == "tcp" or sys.platform == "win32":
            port = free_port() if options.count == 1 else _free_ports(options.count)
            command += ["--tcp", f"{LOOPBACK}:{port}"]
            self._sources = [f"tcp://{LOOPBACK}:{port + i}" for i in range(options.count)]
        else:
            link = folder / name
            command += ["--pty", "--link", str(link)]
            links = [link] if options.count == 1 else [folder / f"{name}.{i}" for i in range(options.count)]
            self._sources = [f"serial://{path}" for path in links]
        command += ["--threshold", str(options.threshold), "--seed", str(options.seed), "--journal", str(self._journal)]
        for fault in options.faults:
            command += ["--fault", fault]
        self._process = ChildProcess("the emulated device", command, folder / f"{name}.log")

    def sources(self) -> Sequence[str]:
        """See :class:`DeviceUnderTest`."""
        return self._sources

    async def start(self) -> None:
        """See :class:`DeviceUnderTest`. Raises :class:`~hil.bench.processes.ProcessError`."""
        self._process.start()
        await self._process.wait_for(rf"^device {self._count - 1}: .+$")

    async def stop(self) -> None:
        """See :class:`DeviceUnderTest`. Raises :class:`~hil.bench.processes.ProcessError` if it had ended by itself."""
        self._process.check_running()
        await self._process.stop()

    def kill(self) -> None:
        """See :class:`DeviceUnderTest`."""
        self._process.kill()

    def journals(self) -> Sequence[SampleArray | None]:
        """See :class:`DeviceUnderTest`. Raises :class:`~stinger.errors.FileError` for one that is missing."""
        return [read_journal(path) for path in journal_paths(self._journal, self._count)]


def _free_ports(count: int) -> int:
    """Return the first of ``count`` consecutive ports that are free at the moment. Raises :class:`InputError`."""
    for _ in range(100):
        first = free_port()
        with ExitStack() as probes, suppress(OSError, OverflowError):
            for port in range(first, first + count):
                probes.enter_context(socket.socket()).bind((LOOPBACK, port))
            return first
    raise InputError(f"this machine has no {count} consecutive free ports")

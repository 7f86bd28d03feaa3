"""A device under test: something that speaks the protocol at an address, and that can be started and stopped."""

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
from hil.bench.workload import write_material
from hil.emulated.journal_file import journal_paths, read_journal
from stinger.errors import InputError
from stinger.sample import SampleArray

EMULATED: Final = "emulated"
_KINDS: Final = ("pty", "tcp", "serial")


class DeviceUnderTest(Protocol):
    """The devices of one scenario. What else is under test, such as firmware in an emulator, is another of these."""

    def sources(self) -> Sequence[str]:
        """The URL at which a daemon finds each device, without its name. Known before the device is started."""

    async def start(self) -> None:
        """Let the devices be there; they send nothing until a host asks."""

    async def stop(self) -> None:
        """Let them end, and what they know of themselves be written down."""

    def kill(self) -> None:
        """Leave nothing behind, whatever happened."""

    def journals(self) -> Sequence[SampleArray | None]:
        """What each knows of what it sent, once stopped: ENTRY_DTYPE; ``None`` if it keeps no journal."""


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """What a user named with ``--dut``."""

    kind: str
    address: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.address}" if self.address else self.kind

    @property
    def emulated(self) -> bool:
        """Whether the bench makes the device itself, and so knows what it sends."""
        return self.kind == EMULATED


def parse_device(text: str) -> DeviceSpec:
    """``emulated``, ``pty:PATH``, ``tcp:HOST:PORT`` or ``serial:PORT``. Raises :class:`InputError`."""
    kind, _, address = text.partition(":")
    if text == EMULATED:
        return DeviceSpec(EMULATED)
    fits = kind in _KINDS and address != ""
    if kind == "tcp":
        address = address.removeprefix("//")
        fits = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:/\[\]]+):\d{1,5}", address) is not None
    if not fits:
        raise InputError(f"--dut {text}: expected emulated, pty:PATH, tcp:HOST:PORT or serial:PORT")
    return DeviceSpec(kind, address)


class ExternalDevice:
    """A device that is there already, and of which nothing more is known: a real one, or somebody else's."""

    def __init__(self, choice: DeviceSpec) -> None:
        """Raises :class:`InputError` where its port can be seen not to be there."""
        if choice.kind != "tcp" and sys.platform != "win32" and not Path(choice.address).exists():
            raise InputError(f"--dut {choice}: there is no such port: is the blaster plugged in and switched on?")
        self._choice = choice

    def sources(self) -> Sequence[str]:
        """See :class:`DeviceUnderTest`."""
        if self._choice.kind == "tcp":
            return [f"tcp://{self._choice.address}"]
        return [f"serial://{self._choice.address}"]

    async def start(self) -> None:
        """It is there."""

    async def stop(self) -> None:
        """It stays."""

    def kill(self) -> None:
        """It stays."""

    def journals(self) -> Sequence[SampleArray | None]:
        """Nobody knows."""
        return [None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorOptions:
    """``count`` devices that play ``samples`` ``(n,)`` on ``link`` (pty or tcp), with ``faults`` decided by ``seed``.

    Their wheels go on at ``threshold``, which is to be the daemon's.
    """

    samples: SampleArray
    count: int
    link: str
    threshold: float
    faults: Sequence[str] = ()
    seed: int = 1


class EmulatorProcess:
    """``stinger emulate`` as a process of its own, which keeps a journal for each device. ``folder`` holds its files."""

    def __init__(self, setup: EmulatorOptions, folder: Path, *, name: str = "emulated") -> None:
        self._folder = folder
        self._count = setup.count
        self._journal = folder / f"{name}.journal"
        recording = folder / f"{name}.bin"
        write_material(recording, setup.samples)
        command = stinger_command("emulate", str(recording), "--wait", "--count", str(setup.count))
        if setup.link == "tcp" or sys.platform == "win32":
            port = free_port() if setup.count == 1 else _free_ports(setup.count)
            command += ["--tcp", f"{LOOPBACK}:{port}"]
            self._sources = [f"tcp://{LOOPBACK}:{port + i}" for i in range(setup.count)]
        else:
            link = folder / name
            command += ["--pty", "--link", str(link)]
            links = [link] if setup.count == 1 else [folder / f"{name}.{i}" for i in range(setup.count)]
            self._sources = [f"serial://{path}" for path in links]
        command += ["--threshold", str(setup.threshold), "--seed", str(setup.seed), "--journal", str(self._journal)]
        for fault in setup.faults:
            command += ["--fault", fault]
        self._child = ChildProcess("the emulated device", command, folder / f"{name}.log")

    def sources(self) -> Sequence[str]:
        """See :class:`DeviceUnderTest`."""
        return self._sources

    async def start(self) -> None:
        """See :class:`DeviceUnderTest`. Raises :class:`~hil.bench.processes.ProcessError`."""
        self._child.start()
        await self._child.wait_for(rf"^device {self._count - 1}: .+$")

    async def stop(self) -> None:
        """See :class:`DeviceUnderTest`. Raises :class:`~hil.bench.processes.ProcessError` if they had ended by themselves."""
        self._child.check()
        await self._child.end()

    def kill(self) -> None:
        """See :class:`DeviceUnderTest`."""
        self._child.kill()

    def journals(self) -> Sequence[SampleArray | None]:
        """See :class:`DeviceUnderTest`. Raises :class:`FileError` for one that is missing."""
        return [read_journal(path) for path in journal_paths(self._journal, self._count)]


def _free_ports(count: int) -> int:
    """The first of ``count`` ports in a row that were free a moment ago. Raises :class:`InputError`."""
    for _ in range(100):
        first = free_port()
        with ExitStack() as probes, suppress(OSError, OverflowError):
            for port in range(first, first + count):
                probes.enter_context(socket.socket()).bind((LOOPBACK, port))
            return first
    raise InputError(f"no {count} free ports in a row on this machine")

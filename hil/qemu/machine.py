"""Run the firmware's image in QEMU: its serial port as a stream of bytes, and its reset button."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hil.qemu.image import build_image, flash_layout
from stinger.errors import InputError, StingerError

QEMU: Final = "qemu-system-arm"
INSTALL_QEMU: Final = "on Debian: apt install qemu-system-arm"
START_TIMEOUT_S: Final = 20.0

_RAM_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 4096


class QemuError(StingerError):
    """QEMU could not be started, or ended."""


class QemuMachine:
    """A running image. Use :func:`run_machine` to start one."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        serial: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        monitor: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._process = process
        self._serial = serial
        self._monitor = monitor

    async def read(self) -> bytes:
        """Return the next bytes that the device has sent. Raises :class:`QemuError` if QEMU has ended."""
        data = await self._serial[0].read(_READ_BYTES)
        if not data:
            raise QemuError("QEMU has ended")
        return data

    def write(self, data: bytes) -> None:
        """Send ``data`` to the device; the device takes it as fast as it can."""
        self._serial[1].write(data)

    async def reset(self) -> None:
        """Reset the device; its flash stays."""
        await self._command("system_reset")

    async def set_powered(self, *, powered: bool) -> None:
        """Stop the device's processor, or let it run."""
        await self._command("cont" if powered else "stop")

    async def _command(self, name: str) -> None:
        """Run a command of QEMU's machine protocol, and wait until it is done."""
        reader, writer = self._monitor
        writer.write(json.dumps({"execute": name}).encode() + b"\n")
        while "return" not in (answer := _parsed(await reader.readline())):
            if not answer or "error" in answer:
                raise QemuError(f"QEMU refused {name}")

    async def begin(self) -> None:
        """Enter the machine protocol's command mode."""
        await self._monitor[0].readline()
        await self._command("qmp_capabilities")


@asynccontextmanager
async def run_machine(settings: bytes, recording: bytes, *, image: Path | None = None) -> AsyncIterator[QemuMachine]:
    """Run ``image``, by default built from the sources, with ``settings`` and ``recording`` in its flash.

    End QEMU with the context.

    Raises :class:`InputError` if QEMU is missing, and :class:`QemuError` if it cannot be started.
    """
    if shutil.which(QEMU) is None:
        raise InputError(f"running the firmware needs {QEMU} ({INSTALL_QEMU})")
    if image is None:
        image = await asyncio.to_thread(build_image)
    serial, monitor = _Listener(), _Listener()
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="stinger-qemu-")))
        await stack.enter_async_context(serial)
        await stack.enter_async_context(monitor)
        blocks = {"SETTINGS": settings, "RECORDING": recording}
        command = machine_command(
            image,
            blocks,
            folder,
            "-qmp",
            f"tcp:127.0.0.1:{monitor.port}",
            serial=f"tcp:127.0.0.1:{serial.port},nodelay=on",
        )
        log = stack.enter_context((folder / "log").open("w+b"))
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )
        stack.push_async_callback(_end, process)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                machine = QemuMachine(process, await serial.connected(process), await monitor.connected(process))
                await machine.begin()
        except (TimeoutError, QemuError) as error:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            raise QemuError(f"QEMU did not start: {lines[-1] if lines else error}") from error
        yield machine


def machine_command(image: Path, blocks: Mapping[str, bytes], folder: Path, *options: str, serial: str) -> list[str]:
    """Return the command line of QEMU that runs ``image`` with ``serial`` as its serial port, and further ``options``.

    ``blocks`` is what the flash holds besides the program, by the names of :func:`~hil.qemu.image.flash_layout`. They
    are written to files in ``folder``, which QEMU reads when it starts.
    """
    layout = flash_layout()
    command = [QEMU, "-M", "microbit", "-global", f"nrf51-soc.sram-size={_RAM_BYTES}", "-display", "none"]
    command += ["-kernel", str(image), "-serial", serial, *options]
    for name, data in blocks.items():
        path = folder / name.lower()
        path.write_bytes(data)
        command += ["-device", f"loader,file={path},addr={layout[name]:#x},force-raw=on"]
    return command


class _Listener:
    """A socket on the loopback that QEMU connects to: no port can be taken by another program in between."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._streams: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] | None = None
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    async def __aenter__(self) -> None:
        self._streams = asyncio.get_running_loop().create_future()
        self._server = await asyncio.start_server(self._accept, sock=self._socket)

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        assert self._streams is not None
        self._server.close()
        if self._streams.done() and self._streams.exception() is None:
            self._streams.result()[1].close()
            with contextlib.suppress(ConnectionError):
                await self._streams.result()[1].wait_closed()

    async def connected(self, process: asyncio.subprocess.Process) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Wait for QEMU's connection. Raises :class:`QemuError` if QEMU ends before."""
        assert self._streams is not None
        ended = asyncio.create_task(process.wait())
        ended.add_done_callback(self._give_up)
        try:
            return await self._streams
        finally:
            ended.cancel()

    def _give_up(self, _: asyncio.Task[int]) -> None:
        if self._streams is not None and not self._streams.done():
            self._streams.set_exception(QemuError("it ended"))

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._streams is not None
        if self._streams.done():
            writer.close()
        else:
            self._streams.set_result((reader, writer))


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _parsed(line: bytes) -> dict[str, Any]:
    """Return an answer or event of the machine protocol; an empty one if the line is neither."""
    with contextlib.suppress(ValueError):
        value = json.loads(line)
        if isinstance(value, dict):
            return value
    return {}

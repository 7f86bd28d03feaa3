"""Runs several emulated devices in one process, until a signal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from hil.emulated.journal_file import JournalOwner, write_journals
from hil.emulated.port import Port
from hil.emulated.transmitter import Transmitter
from hil.emulated.wakeup_timer import WakeupTimer
from stinger.errors import StingerError, first_error


class Device(JournalOwner, Protocol):
    """A device at a port, whatever runs in it."""

    port: Port
    transmitter: Transmitter
    ready: asyncio.Event

    async def run(self) -> None:
        """Run until cancelled; ``ready`` is set once the port is open."""


_Device = TypeVar("_Device", bound=Device)


async def run_fleet(
    make_devices: Callable[[WakeupTimer, asyncio.Lock], Sequence[_Device]],
    *,
    announce: Callable[[int, _Device], None],
    seconds: float | None = None,
    journals: Sequence[Path] = (),
) -> None:
    """Run the devices that ``make_devices`` returns until SIGINT, SIGTERM or, if given, ``seconds`` have passed.

    ``announce`` is called for each device, in order, once its port is open. ``journals`` are the files for their
    journals, one per device, or none. Raises :class:`StingerError` if a port cannot be opened or a journal not be
    written; all devices are stopped then.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C ends the loop by itself
            loop.add_signal_handler(number, stop.set)
    timer = WakeupTimer()
    try:
        async with asyncio.TaskGroup() as tasks:
            devices = make_devices(timer, asyncio.Lock())
            running = [tasks.create_task(device.run(), name=f"device {i}") for i, device in enumerate(devices)]
            for i, device in enumerate(devices):
                await device.ready.wait()
                announce(i, device)
            if journals:
                running.append(tasks.create_task(write_journals(journals, devices), name="journals"))
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await stop.wait()
            for task in running:
                task.cancel()
    except* StingerError as failed:
        raise first_error(failed) from None
    finally:
        timer.close()

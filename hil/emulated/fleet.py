"""Runs several emulated devices in one process, until a signal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from hil.emulated.device import EmulatedDevice
from hil.emulated.journal_file import write_journals
from hil.emulated.wakeup_timer import WakeupTimer
from stinger.errors import StingerError, first_error


async def run_fleet(
    make_devices: Callable[[WakeupTimer, asyncio.Lock], Sequence[EmulatedDevice]],
    *,
    announce: Callable[[int, EmulatedDevice], None],
    seconds: float | None = None,
    journals: Sequence[Path] = (),
) -> None:
    """Run the devices that ``make_devices`` returns until SIGINT, SIGTERM or, if given, ``seconds`` have passed.

    ``announce`` is called for each device, in order, once its port is open. ``journals`` are the files for their journals,
    one per device, or none. Raises :class:`StingerError` if a port cannot be opened or a journal not be written; all
    devices are stopped then.
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
                blasters = [device.blaster for device in devices]
                running.append(tasks.create_task(write_journals(journals, blasters), name="journals"))
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await stop.wait()
            for task in running:
                task.cancel()
    except* StingerError as failed:
        raise first_error(failed) from None
    finally:
        timer.close()

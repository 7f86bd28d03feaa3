"""The log of a blaster, whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from service.base.link_errors import LinkLostError
from service.round_trip.blaster_client import BlasterClient
from stinger.errors import DeviceError, FileError, ProtocolError
from stinger.files import StrPath
from stinger.logs import Log
from stinger.logs.reading import parse_log
from stinger.wire.host import DumpLog

ATTEMPTS: Final = 3
"""A log that does not arrive whole is asked for so many times."""

_BUSY: Final = "busy (firing)"

Transfer = Callable[[int], AbstractContextManager[Callable[[int], object]]]
"""Given the bytes to come, a context in which it is told how many have."""


@dataclass(frozen=True, slots=True, eq=False)
class PulledLog:
    """The ``data`` of a ``.bin``, and what is in it; ``log`` is ``None`` where that is damaged, as the blaster has it."""

    data: bytes
    log: Log | None
    damage: str = ""


def pull_log(client: BlasterClient, target: StrPath, *, transfer: Transfer) -> PulledLog:
    """The whole log, its size and its records checked. ``target`` is what errors call it; nothing is written.

    A transfer that breaks off or brings damaged records is begun anew, :data:`ATTEMPTS` times in all. A log that comes
    twice with the same damage is what the blaster holds. Raises the errors of :mod:`stinger.errors`.
    """
    before = b""
    for attempt in range(1, ATTEMPTS + 1):
        if attempt > 1:
            client.synchronise()  # hears out what is still on its way
        try:
            data = _dump(client, transfer)
            return PulledLog(data, parse_log(data, target))
        except DeviceError as refused:
            if refused.reason != _BUSY or attempt == ATTEMPTS:
                raise
            problem = "the blaster is firing"
            time.sleep(client.timeouts.busy_retry_s)
        except ProtocolError as broken:
            problem = str(broken)
        except FileError as damaged:
            damage = ": ".join(part for part in (damaged.place, damaged.problem) if part)
            problem = f"the log arrived damaged ({damage})"
            if data == before:
                return PulledLog(data, None, damage)
            before = data
        if attempt < ATTEMPTS:
            client.notify(f"{problem}: asking again ({attempt + 1} of {ATTEMPTS})")
    raise ProtocolError(f"{problem}, {ATTEMPTS} times; nothing was written: try another cable or USB socket")


def _dump(client: BlasterClient, transfer: Transfer) -> bytes:
    dump: DumpLog | None = None
    try:
        dump = client.start_log_dump()
        with transfer(dump.expected_bytes or 0) as progress:
            progress(dump.received_bytes)
            return client.receive_rest(dump, progress=progress)
    except LinkLostError as lost:
        if dump is None or dump.expected_bytes is None:
            raise
        raise LinkLostError(
            f"{lost}, after {dump.received_bytes:,} of {dump.expected_bytes:,} bytes of the log; nothing was written: "
            "plug it in and run the same command again"
        ) from lost

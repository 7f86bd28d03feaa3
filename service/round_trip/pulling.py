"""Fetches the log of a blaster, completely or not at all."""

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
"""Number of times that an incomplete or damaged log is requested."""

_BUSY: Final = "busy (firing)"

Transfer = Callable[[int], AbstractContextManager[Callable[[int], object]]]
"""Called with the number of bytes to expect; returns a context whose function is called with each number received."""


@dataclass(frozen=True, slots=True, eq=False)
class PulledLog:
    """A fetched log: the bytes of a ``.bin`` file, and the samples in them."""

    data: bytes
    log: Log | None
    """``None`` if the log is damaged on the blaster itself, as a whole."""
    damage: str = ""
    """Place and kind of that damage."""


def pull_log(client: BlasterClient, target: StrPath, *, transfer: Transfer) -> PulledLog:
    """Fetch the complete log and check its size and records. ``target`` is how errors name it; nothing is written.

    A transfer that breaks off or contains damaged records is repeated, up to :data:`ATTEMPTS` in all. If a log arrives
    twice with the same damage, it is damaged on the blaster itself: what is intact in it is kept. Raises the errors of
    :mod:`stinger.errors`.
    """
    previous = b""
    for attempt in range(1, ATTEMPTS + 1):
        if attempt > 1:
            client.synchronise()  # drains the rest of the failed transfer
        try:
            data = _dump(client, transfer)
            log = parse_log(data, target)
            if not log.repairs.damaged or data == previous:
                return PulledLog(data, log)
            problem = f"the log arrived damaged ({log.repairs.messages()[0]})"
            previous = data
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
            if data == previous:
                return PulledLog(data, None, damage)
            previous = data
        if attempt < ATTEMPTS:
            client.notify(f"{problem}: requesting it again ({attempt + 1} of {ATTEMPTS})")
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
            "plug the blaster in and try again"
        ) from lost

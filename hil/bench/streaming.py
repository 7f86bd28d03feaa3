"""Wait until the daemon receives the samples of all devices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from hil.bench.daemon import DaemonUnderTest
from hil.bench.observer import MessageObserver
from hil.bench.processes import PROCESS_TIMEOUT_S
from hil.measuring.messages import parse_messages

_POLL_S: Final = 0.01


async def wait_until_streaming(
    observer: MessageObserver, daemon: DaemonUnderTest, names: Sequence[str], since_ns: int
) -> int:
    """Wait until the daemon has published every device as streaming, and return when it published the last.

    Messages received before ``since_ns`` do not count. Raises :class:`~hil.bench.processes.ProcessError` if it takes
    too long.
    """
    waiting, last_link = set(names), {}
    waited_before_s = daemon.process.cpu_wait_s()
    deadline, seen, at_ns = time.monotonic() + PROCESS_TIMEOUT_S, 0, 0
    while waiting:
        daemon.process.check_running()
        messages = observer.messages()
        for link in parse_messages(messages[seen:], ("link",)):
            if link.device in waiting and link.at_ns >= since_ns:
                last_link[link.device] = link
                if link.content.get("state") == "streaming":
                    waiting.discard(link.device)
                    at_ns = link.at_ns
        seen = len(messages)
        if waiting and time.monotonic() > deadline:
            name = min(waiting)
            content = last_link[name].content if name in last_link else {}
            why = content.get("reason") or "the daemon published no reason"
            problem = f"{len(waiting)} of {len(names)} devices are not streaming: {name}: {why}"
            raise daemon.process.late_error(problem, PROCESS_TIMEOUT_S, waited_before_s)
        await asyncio.sleep(_POLL_S)
    return at_ns

"""Keeps the copy of a shared registry up to date while the daemon runs.

A new champion thus comes into use here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from models.shared_registry import SharedRegistry
from service.base.backoff import Backoff
from service.base.executor import run_abandonable
from service.base.logs import RepeatedFailure, get_logger
from stinger.errors import StingerError, UnavailableError

POLL_S: Final = 3.0
"""Interval at which the storage is asked for changes."""
AWAY_S: Final = 60.0
"""A storage that cannot be reached for longer is reported."""
LONGEST_RETRY_S: Final = 30.0
START_S: Final = 5.0
"""How long the start of the daemon waits for the registry at most."""

_LOG = get_logger(__name__)


class RegistryFollower:
    """Follows ``registry``. While its storage is away, the copy stays as it is, and so does the model in use.

    ``on_problem`` is called with a line when the storage has been away for ``away_s``, or when the champion there is
    damaged; and with an empty one when it could be read again.
    """

    def __init__(
        self,
        registry: SharedRegistry,
        *,
        on_problem: Callable[[str], None],
        poll_s: float = POLL_S,
        away_s: float = AWAY_S,
        longest_retry_s: float = LONGEST_RETRY_S,
    ) -> None:
        self._registry = registry
        self._on_problem = on_problem
        self._poll_s = poll_s
        self._away_s = away_s
        self._backoff = Backoff(min(poll_s, longest_retry_s), longest_retry_s)
        self._read_s = time.monotonic()
        """When the registry was read last."""
        self._log = RepeatedFailure(_LOG, "shared_registry_not_read")

    async def read_at_start(self, *, at_most_s: float = START_S) -> None:
        """Read the registry once, so that the daemon starts with its champion; without it if that takes too long."""
        try:
            async with asyncio.timeout(at_most_s):
                await run_abandonable(self._registry.pull)
        except (StingerError, TimeoutError) as error:
            self._failed(error)

    async def run(self) -> None:
        """Follow the registry until cancelled. A failure is logged and tried again; it never ends this."""
        while True:
            wait_s = await self._poll()
            await asyncio.sleep(wait_s)

    async def _poll(self) -> float:
        """Ask once; return after how many seconds to ask again."""
        try:
            changed = await run_abandonable(self._registry.pull_if_changed)
        except StingerError as error:
            self._failed(error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the registry, the model in use stays
            _LOG.exception("shared_registry_failed")
            self._failed(error)
        else:
            self._read_s = time.monotonic()
            self._log.reset()
            self._backoff.reset()
            self._on_problem("")
            if changed:
                _LOG.info("shared_registry_read", url=self._registry.url)
            return self._poll_s
        return self._poll_s + self._backoff.next_s()

    def _failed(self, error: Exception) -> None:
        reason = str(error) or f"no answer: {error!r}"
        self._log.log(reason)
        if not isinstance(error, UnavailableError | TimeoutError) or time.monotonic() - self._read_s > self._away_s:
            self._on_problem(f"the shared registry cannot be read, the model in use stays: {reason}")

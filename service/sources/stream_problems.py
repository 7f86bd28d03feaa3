"""Logs once for each device that its clock or sample rate cannot be used, and returns the reason to show."""

from __future__ import annotations

import logging
from typing import Final

from service.base.logs import get_logger
from service.sources.block_builder import BlockBuilder
from stinger.device_name import DeviceName

CLOCK_REASON: Final = "its samples are dropped: the clock of the blaster runs backwards or at random"
_LOG: Final = get_logger(__name__)


class StreamProblems:
    """What is wrong with the samples of ``device``, and what of it was logged."""

    def __init__(self, device: DeviceName) -> None:
        self._device = device
        self._rate_problem: str | None = None
        self._clock_usable = True
        self._warned: set[str] = set()

    def reason_of(self, builder: BlockBuilder) -> str:
        """Return the reason of a link whose samples ``builder`` takes, empty if nothing is wrong.

        Log what has changed.
        """
        if builder.clock_usable != self._clock_usable:
            self._clock_usable = builder.clock_usable
            if self._clock_usable:
                _LOG.info("clock_usable", device=self._device)
            else:
                self._warn_once("clock_unusable", CLOCK_REASON)
        rate_reason = self.rate_reason(builder.rate_problem)
        return rate_reason if self._clock_usable else CLOCK_REASON

    def rate_reason(self, problem: str | None) -> str:
        """Return the reason of a link whose rate has ``problem``, empty for ``None``; log it if that has changed."""
        if (problem is None) != (self._rate_problem is None):
            self._rate_problem = problem
            if problem is None:
                _LOG.info("rate_usable", device=self._device)
            else:
                self._warn_once("rate_unusable", problem)
        return "" if self._rate_problem is None else f"not scored: it has {self._rate_problem}"

    def _warn_once(self, event: str, reason: str) -> None:
        level = logging.DEBUG if event in self._warned else logging.WARNING
        self._warned.add(event)
        _LOG.log(level, event, device=self._device, reason=reason)

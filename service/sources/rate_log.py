"""Logs a sample rate that models cannot use, once for each device, and words it for people."""

from __future__ import annotations

import logging
from typing import Final

from service.base.logs import get_logger
from stinger.device_name import DeviceName

_LOG: Final = get_logger(__name__)


class RateLog:
    """What was logged about the rate of ``device``."""

    def __init__(self, device: DeviceName) -> None:
        self._device = device
        self._problem: str | None = None
        self._warned = False

    def reason(self, problem: str | None) -> str:
        """Return the reason of a link whose samples have ``problem``, empty for ``None``; log it if that has changed."""
        if (problem is None) != (self._problem is None):
            self._problem = problem
            if problem is None:
                _LOG.info("rate_usable", device=self._device)
            else:
                level = logging.DEBUG if self._warned else logging.WARNING
                _LOG.log(level, "rate_unusable", device=self._device, reason=problem)
                self._warned = True
        return "" if self._problem is None else f"not scored: it has {self._problem}"

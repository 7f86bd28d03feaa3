"""Ways to be a broken daemon on purpose, so that a bench can be seen to catch each of them. Of no other use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from service.base.events import Event, Shot, SpinUp
from service.base.source import Block, Intake, LinkReport
from service.daemon.flow import Sink

DELAY_S: Final = 0.08
"""By how much later a daemon that delays publishes everything."""
SHOT_EVERY: Final = 2
"""A daemon that drops, or repeats, does so to every so many of a device's shots."""
BLOCK_EVERY: Final = 50
"""A daemon that loses lets every so many block of samples vanish."""
OFF_BY: Final = np.float32(2e-4)
"""By how much the scores of a daemon that mis-scores are off."""


class Sabotage(StrEnum):
    """What a daemon does wrong: say things late, not at all, twice, or with wrong scores; lose samples, or forget to end."""

    DELAY = "delay"
    DROP = "drop"
    REPEAT = "repeat"
    MISSCORE = "misscore"
    LOSE = "lose"
    FORGET = "forget"


class SabotagedSink(Sink):
    """Stands before what publishes."""

    def __init__(self, sink: Sink, how: Sabotage) -> None:
        self._sink = sink
        self._how = how
        self._shots = 0

    def samples(self, block: Block) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        self._then(self._sink.samples, block)

    def scores(self, block: Block, probability: npt.NDArray[np.float32]) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        if self._how is Sabotage.MISSCORE:
            probability = np.abs(probability - OFF_BY)
        self._then(self._sink.scores, block, probability)

    def event(self, event: Event) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        self._shots += isinstance(event, Shot)
        struck = isinstance(event, Shot) and not self._shots % SHOT_EVERY
        if struck and self._how is Sabotage.DROP:
            return
        if self._how is Sabotage.FORGET and isinstance(event, SpinUp) and not event.on:
            return
        self._then(self._sink.event, event)
        if struck and self._how is Sabotage.REPEAT:
            self._then(self._sink.event, event)

    def link(self, report: LinkReport) -> None:
        """See :class:`service.daemon.flow.Sink`."""
        self._then(self._sink.link, report)

    def _then(self, tell: Callable[..., None], *what: Any) -> None:
        if self._how is Sabotage.DELAY:
            asyncio.get_running_loop().call_later(DELAY_S, tell, *what)
        else:
            tell(*what)


class LosingIntake:
    """Stands before the flow, and lets blocks vanish before anyone has seen them."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._blocks = 0

    async def put(self, block: Block) -> None:
        """See :class:`service.base.source.Intake`."""
        self._blocks += 1
        if self._blocks % BLOCK_EVERY:
            await self._intake.put(block)

    def link(self, report: LinkReport) -> None:
        """See :class:`service.base.source.Intake`."""
        self._intake.link(report)

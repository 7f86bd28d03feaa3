"""Faults built into a daemon on purpose, so that the bench can be shown to catch each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from service.base.events import Event, Shot, WheelsSwitched
from service.base.sink import Sink
from service.base.source import Block, Intake, LinkReport
from service.base.states import ModelInUse, Stamps
from service.config.config import Config
from service.daemon.daemon import Daemon
from service.daemon.parts import Wrappers
from service.ops.systemd import Notifier
from stinger.device_name import DeviceName

DELAY_S: Final = 0.08
"""How much later ``DELAY`` publishes every message."""
SHOT_EVERY: Final = 2
"""``DROP`` and ``REPEAT`` affect every SHOT_EVERY-th shot of the daemon."""
BLOCK_EVERY: Final = 50
"""``LOSE`` drops every BLOCK_EVERY-th block of samples."""
SCORE_ERROR: Final = np.float32(2e-4)
"""How far the scores of ``MISSCORE`` are off."""


class Sabotage(StrEnum):
    """What the daemon does wrong."""

    DELAY = "delay"
    """Publish everything late."""
    DROP = "drop"
    """Leave out shots."""
    REPEAT = "repeat"
    """Publish shots twice."""
    MISSCORE = "misscore"
    """Publish wrong scores."""
    LOSE = "lose"
    """Lose samples before they are scored or recorded."""
    FORGET = "forget"
    """Never publish that the wheels went off."""


def open_sabotaged(
    config: Config, *, notifier: Notifier | None = None, how: Sabotage
) -> AbstractAsyncContextManager[Daemon]:
    """Open a daemon with the fault ``how``: stands for ``Daemon.open``."""
    wrappers = (
        Wrappers(intake=LosingIntake) if how is Sabotage.LOSE else Wrappers(mqtt_sink=partial(SabotagedSink, how=how))
    )
    return Daemon.open(config, notifier=notifier, wrappers=wrappers)


class SabotagedSink(Sink):
    """Stands in front of the sink that publishes, and passes on what the fault ``how`` leaves of its calls."""

    def __init__(self, sink: Sink, how: Sabotage) -> None:
        self._sink = sink
        self._how = how
        self._shots = 0

    def on_device(self, device: DeviceName) -> None:
        self._call(self._sink.on_device, device)

    def on_model(self, model: ModelInUse) -> None:
        self._call(self._sink.on_model, model)

    def on_scores(self, block: Block, probability: npt.NDArray[np.float32], stamps: Stamps) -> None:
        if self._how is Sabotage.MISSCORE:
            probability = np.abs(probability - SCORE_ERROR)
        self._call(self._sink.on_scores, block, probability, stamps)

    def on_event(self, event: Event, stamps: Stamps | None) -> None:
        self._shots += isinstance(event, Shot)
        affected = isinstance(event, Shot) and not self._shots % SHOT_EVERY
        if affected and self._how is Sabotage.DROP:
            return
        if self._how is Sabotage.FORGET and isinstance(event, WheelsSwitched) and not event.on:
            return
        self._call(self._sink.on_event, event, stamps)
        if affected and self._how is Sabotage.REPEAT:
            self._call(self._sink.on_event, event, stamps)

    def on_link(self, report: LinkReport) -> None:
        self._call(self._sink.on_link, report)

    def _call(self, method: Callable[..., None], *arguments: Any) -> None:
        if self._how is Sabotage.DELAY:
            asyncio.get_running_loop().call_later(DELAY_S, method, *arguments)
        else:
            method(*arguments)


class LosingIntake:
    """Stands in front of the flow and drops every BLOCK_EVERY-th block."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._blocks = 0

    async def put(self, block: Block) -> None:
        self._blocks += 1
        if self._blocks % BLOCK_EVERY:
            await self._intake.put(block)

    def link(self, report: LinkReport) -> None:
        self._intake.link(report)

"""Recordings of many devices that appear or start over at the same moment, begun one after another so that scoring goes on between them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from service.base.source import Block
from service.recording.recorder import Recorder
from stinger.device_name import DeviceName

SHARE: Final = 0.25
"""The part of the time that goes into beginning recordings: each takes the file system up to a millisecond."""
HELD_MAX_SAMPLES: Final = 500_000
"""So many may wait for their recordings, 5 s of a thousand devices; beyond, recordings are begun at once."""

Later = Callable[[float, Callable[[], None]], object]
"""Calls something in so many seconds, as :meth:`asyncio.loop.call_later` does."""


class RecordingPace:
    """Hands blocks to ``recorder``; what comes of a device whose turn to have a new file has not come waits in memory.

    A device that needs one alone has it at once, and what belongs into an open one never waits.
    """

    def __init__(self, recorder: Recorder, later: Later) -> None:
        self._recorder = recorder
        self._later = later
        self._held: dict[DeviceName, list[Block]] = {}
        self._held_samples = 0
        self._next_s = 0.0
        self._timed = False

    def append(self, block: Block) -> None:
        """Have ``block`` recorded, now or in a moment; the order of a device's blocks stays."""
        held = self._held.get(block.device) if self._held else None
        if held is None:
            if self._recorder.goes_on(block) or not self._recorder.is_recording(block.device):
                self._recorder.append(block)
                return
            if not self._held and time.monotonic() >= self._next_s:
                self._begin([block])
                return
            held = self._held[block.device] = []
            self._time()
        held.append(block)
        self._held_samples += block.samples.shape[0]
        if self._held_samples > HELD_MAX_SAMPLES:
            self._let_go(block.device)

    def settle(self, device: DeviceName) -> None:
        """Have recorded what waits of ``device``: whether what comes next is recorded may be another matter."""
        if device in self._held:
            self._let_go(device)

    def close(self) -> None:
        """Have everything recorded that waits."""
        while self._held:
            self._let_go(next(iter(self._held)))

    def _go_on(self) -> None:
        """Begin the recording of the device that has waited longest."""
        self._timed = False
        try:
            if self._held:
                self._let_go(next(iter(self._held)))
        finally:
            if self._held:
                self._time()

    def _time(self) -> None:
        """Go on when the file system has had its rest."""
        if not self._timed:
            self._timed = True
            self._later(max(0.0, self._next_s - time.monotonic()), self._go_on)

    def _let_go(self, device: DeviceName) -> None:
        blocks = self._held.pop(device)
        self._held_samples -= sum(block.samples.shape[0] for block in blocks)
        self._begin(blocks)

    def _begin(self, blocks: list[Block]) -> None:
        began_s = time.monotonic()
        for block in blocks:
            self._recorder.append(block)
        now_s = time.monotonic()
        self._next_s = now_s + (now_s - began_s) * (1 / SHARE - 1)

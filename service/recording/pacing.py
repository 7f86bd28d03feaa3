"""Spreads the creation of many devices' files over time, so that scoring continues in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from service.base.sink import Sink
from service.base.source import Block
from service.base.states import ModelInUse
from service.recording.held_journal import HeldJournal
from service.recording.recorder import Recorder
from stinger.device_name import DeviceName

SHARE: Final = 0.25
"""The fraction of the time that is spent on creating files: each takes the file system up to a millisecond."""
AT_ONCE_S: Final = 0.04
"""Time that may be spent on creating files at once, enough for some dozens. Less would hold samples in memory without need,
where a kill loses them; more would delay the samples of all other devices."""
MAX_HELD_SAMPLES: Final = 500_000
"""How many samples may wait in memory, 5 s of a thousand devices; with more, files are created at once."""

CallLater = Callable[[float, Callable[[], None]], object]
"""Calls a function after a number of seconds, as :meth:`asyncio.loop.call_later` does."""


class PacedRecorder(Sink):
    """Passes blocks on to ``recorder``, and spreads the creation of files over time.

    When many devices appear or start over at the same moment, a thousand new files at once would hold up scoring. So
    files are created at once for ``at_once_s`` seconds, and after that in a ``share`` of the time. The blocks of a
    device that needs a new file are held in memory until it is that device's turn, in the order in which the devices
    appeared, and in ``journal`` for the case of a kill. Blocks that continue an open file are recorded at once; so is a
    single device's first block.
    """

    def __init__(
        self,
        recorder: Recorder,
        call_later: CallLater,
        *,
        share: float = SHARE,
        at_once_s: float = AT_ONCE_S,
        max_held_samples: int = MAX_HELD_SAMPLES,
        journal: HeldJournal | None = None,
    ) -> None:
        self._journal = journal
        self._recorder = recorder
        self._call_later = call_later
        self._share = share
        self._max_held = max_held_samples
        self._held: dict[DeviceName, list[Block]] = {}
        self._held_samples = 0
        self._at_once_s = at_once_s
        self._budget_s = at_once_s  # time that may be spent on creating files, as of _counted_s; negative: overspent
        self._counted_s = time.monotonic()
        self._timer_runs = False

    def on_forget(self, device: DeviceName) -> None:
        """Complete the recording of the device."""
        self.release(device)
        self._recorder.forget(device)

    def on_release(self, device: DeviceName) -> None:
        """Complete the recording of the device."""
        self.on_forget(device)

    def on_model(self, model: ModelInUse) -> None:
        """Name the model in the sidecars of its device."""
        self._recorder.describe(model.device, model=model.model)

    def on_samples(self, block: Block) -> None:
        """Record ``block`` now or soon; the blocks of a device stay in order."""
        held = self._held.get(block.device) if self._held else None
        if held is None:
            if self._recorder.append_to_open(block):
                return
            if self._recorder.continues_file(block) or not self._recorder.is_recording(block.device):
                self._recorder.append(block)
                return
            if not self._held and self._wait_s() <= 0:
                self._record([block])
                return
            held = self._held[block.device] = []
            self._start_timer()
        held.append(block)
        if self._journal is not None:
            self._journal.add(block)
        self._held_samples += block.samples.shape[0]
        if self._held_samples > self._max_held:
            self._record_held(block.device)

    def on_single(self, device: DeviceName, record: bytes, time_ms: int, read_ns: int) -> bool:
        """Record a sample now, unless that needs a new file."""
        return device not in self._held and self._recorder.append_single(device, record, time_ms, read_ns)

    @property
    def holds_samples(self) -> bool:
        """Whether samples wait in memory that are not in a file yet."""
        return bool(self._held)

    def release(self, device: DeviceName) -> None:
        """Record the held blocks of ``device`` now: call this before recording of it is started or stopped."""
        if device in self._held:
            self._record_held(device)

    def close(self) -> None:
        """Record all held blocks now."""
        while self._held:
            self._record_held(next(iter(self._held)))
        if self._journal is not None:
            self._journal.close()

    def _take_turn(self) -> None:
        """Record the held blocks of the device that has waited longest."""
        self._timer_runs = False
        try:
            if self._held:
                self._record_held(next(iter(self._held)))
        finally:
            if self._held:
                self._start_timer()

    def _start_timer(self) -> None:
        if not self._timer_runs:
            self._timer_runs = True
            self._call_later(max(0.0, self._wait_s()), self._take_turn)

    def _record_held(self, device: DeviceName) -> None:
        blocks = self._held.pop(device)
        self._held_samples -= sum(block.samples.shape[0] for block in blocks)
        self._record(blocks)
        if self._journal is not None:
            if self._held:
                self._journal.recorded(device)
            else:
                self._journal.clear()

    def _record(self, blocks: list[Block]) -> None:
        """Record ``blocks``, for which a file is created, and count the time that it took."""
        started_s = time.monotonic()
        for block in blocks:
            self._recorder.append(block)
        self._budget_s -= time.monotonic() - started_s

    def _wait_s(self) -> float:
        """Return how long to wait before the next file is created; 0 or less: not at all."""
        now_s = time.monotonic()
        self._budget_s = min(self._at_once_s, self._budget_s + self._share * (now_s - self._counted_s))
        self._counted_s = now_s
        return -self._budget_s / self._share

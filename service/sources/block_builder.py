"""One device's samples as they come live, made into blocks: at 100 Hz, boot by boot, each with the time of its taking."""

from __future__ import annotations

from typing import Final

import numpy as np

from service.base.source import Block
from service.sources.device_clock import DeviceClock
from service.sources.wall_clock import WallClock
from stinger.device_name import DeviceName
from stinger.recording import WRAP_MAX_STEP_MS
from stinger.sample import CLOCK_WRAP_MS, SAMPLE_RATE_HZ, SampleArray

STEP_MS: Final = 1000 // SAMPLE_RATE_HZ
WHOLE_STEP_MS: Final = 7
"""Samples at least so far apart are all taken: 100 Hz by a clock that is off, or that jitters, is not to be thinned. Faster, those nearest to every 10 ms."""

LATE_MAX_MS: Final = 1000
LATE_MAX_RUN: Final = 4
"""So many samples one after another, at most so far behind the newest, are late or repeated; more are a reboot."""

OTHER_BOOT_MS: Final = 1000.0
OTHER_BOOT_DRIFT: Final = 100e-6
"""After a link was opened again, a device whose clock is so far from where it should be has been started anew.

For the time that it was away, as much is allowed as two crystals may differ.
"""

_NS: Final = 1_000_000_000


class BlockBuilder:
    """Makes blocks of what one device sends. ``late`` counts samples that came behind newer ones and were dropped.

    ``boot`` is that of the newest sample; it grows when the clock falls back, by a reboot or by its wrap.
    """

    def __init__(self, device: DeviceName, wall: WallClock) -> None:
        self.boot = 0
        self.late = 0
        self._device = device
        self._wall = wall
        self._clock = DeviceClock()
        self._newest_ms: int | None = None  # as the device said it
        self._wrapped_ms = 0  # what to add to it
        self._due_ms = 0
        self._late_run = 0
        self._reopened = False
        self._taken_ns = float("-inf")  # of the newest sample given out

    def reopened(self) -> None:
        """Note that the link was opened again, so that there may be another boot behind it."""
        self._reopened = self._newest_ms is not None

    def started_over(self) -> None:
        """Note that the next sample's clock has nothing to do with the last one's."""
        if self._newest_ms is not None:
            self._begin_boot()

    def blocks(self, samples: SampleArray, read_ns: int) -> list[Block]:
        """The blocks that ``samples`` ``(n,)``, read at ``read_ns`` (monotonic), make: one, unless the clock fell back.

        None where nothing is left of them at 100 Hz.
        """
        if not samples.size:
            return []
        device_ms: list[int] = samples["timestamp_ms"].tolist()
        if self._reopened:
            self._look_for_reboot(device_ms[-1], read_ns)
        if self._is_regular(device_ms):
            self._late_run = 0
            self._newest_ms = device_ms[-1]
            self._due_ms = device_ms[-1] + STEP_MS
            wrapped = self._wrapped_ms
            times_ms = [time_ms + wrapped for time_ms in device_ms] if wrapped else device_ms
            return [self._block(samples, times_ms, self.boot, self._clock, read_ns)]
        return self._thinned(samples, device_ms, read_ns)

    def _is_regular(self, device_ms: list[int]) -> bool:
        """Whether all of these samples are taken, as nearly always: 100 Hz, forwards."""
        before_ms = device_ms[0] - WHOLE_STEP_MS if self._newest_ms is None else self._newest_ms
        for time_ms in device_ms:
            if time_ms - before_ms < WHOLE_STEP_MS:
                return False
            before_ms = time_ms
        return True

    def _thinned(self, samples: SampleArray, device_ms: list[int], read_ns: int) -> list[Block]:
        """The blocks of samples that come faster, or whose clock falls back."""
        made: list[Block] = []
        kept: list[int] = []
        times_ms: list[int] = []
        for index, time_ms in enumerate(device_ms):
            boot, clock = self.boot, self._clock
            wanted = self._take(time_ms)
            if boot != self.boot and kept:
                made.append(self._block(samples[kept], times_ms, boot, clock, read_ns))
                kept, times_ms = [], []
            if wanted:
                kept.append(index)
                times_ms.append(time_ms + self._wrapped_ms)
        if kept:
            rest = samples if len(kept) == samples.shape[0] else samples[kept]
            made.append(self._block(rest, times_ms, self.boot, self._clock, read_ns))
        return made

    def _take(self, time_ms: int) -> bool:
        """Move on to a sample; whether it belongs to the 100 Hz."""
        step_ms = WHOLE_STEP_MS if self._newest_ms is None else time_ms - self._newest_ms
        if step_ms < 0:
            if step_ms + CLOCK_WRAP_MS <= WRAP_MAX_STEP_MS:
                self.boot += 1
                self._wrapped_ms += CLOCK_WRAP_MS
            elif -step_ms <= LATE_MAX_MS and self._late_run < LATE_MAX_RUN:
                self._late_run += 1
                self.late += 1
                return False
            else:
                self._begin_boot()
            step_ms = WHOLE_STEP_MS
        self._late_run = 0
        self._newest_ms = time_ms
        if step_ms >= WHOLE_STEP_MS:
            self._due_ms = time_ms + STEP_MS
            return True
        if time_ms + step_ms // 2 < self._due_ms:  # the next one will be nearer
            return False
        self._due_ms += STEP_MS
        return True

    def _begin_boot(self) -> None:
        self.boot += 1
        self._newest_ms = None
        self._wrapped_ms = 0
        self._late_run = 0
        self._reopened = False
        self._clock = DeviceClock()

    def _look_for_reboot(self, time_ms: int, read_ns: int) -> None:
        self._reopened = False
        assert self._newest_ms is not None
        allowed_ms = OTHER_BOOT_MS + OTHER_BOOT_DRIFT * max(0, time_ms - self._newest_ms)
        height_ms = self._clock.height_ms(time_ms + self._wrapped_ms, read_ns)
        if height_ms is not None and abs(height_ms) > allowed_ms:
            self.started_over()

    def _block(self, samples: SampleArray, times_ms: list[int], boot: int, clock: DeviceClock, read_ns: int) -> Block:
        clock.observe(times_ms[-1], read_ns)
        # A better estimate does not turn time back, and no sample is taken after it was read.
        earliest_ns, offset_s = self._taken_ns, self._wall.offset_s()
        taken_ns = clock.taken_ns(times_ms)
        if taken_ns[0] < earliest_ns or taken_ns[-1] > read_ns:  # they ascend
            taken_ns = [min(max(time_ns, earliest_ns), read_ns) for time_ns in taken_ns]
        self._taken_ns = taken_ns[-1]
        taken_s = np.array([time_ns / _NS + offset_s for time_ns in taken_ns])
        return Block(self._device, samples, taken_s, read_ns, boot)

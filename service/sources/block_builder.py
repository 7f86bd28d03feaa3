"""Builds blocks from the live samples of one device: thinned to 100 Hz, split at reboots, each sample dated."""

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
THINNING_BELOW_MS: Final = 7
"""Streams are thinned only where samples are closer together than this: then the samples nearest to every 10 ms are kept.

A 100 Hz stream whose clock is inaccurate or jitters is left as it is.
"""

LATE_MAX_MS: Final = 1000
LATE_MAX_RUN: Final = 4
"""Up to LATE_MAX_RUN consecutive samples, each at most LATE_MAX_MS older than the newest, count as late or repeated and are
dropped. One more counts as a reboot."""

REBOOT_OFFSET_MS: Final = 1000.0
REBOOT_DRIFT: Final = 100e-6
"""After a link was reopened, the device has rebooted if its clock is more than REBOOT_OFFSET_MS from where it should be, plus
REBOOT_DRIFT of the time that it was away: two crystals may differ by that much."""

_NS: Final = 1_000_000_000


class BlockBuilder:
    """Builds blocks from the samples that one device sends.

    ``boot`` is the boot of the newest sample; it grows by one when the device's clock goes back, by a reboot or by its
    wrap. ``late`` counts samples that were dropped because they arrived after newer ones.
    """

    def __init__(self, device: DeviceName, wall: WallClock) -> None:
        self.boot = 0
        self.late = 0
        self._device = device
        self._wall = wall
        self._clock = DeviceClock()
        self._newest_ms: int | None = None  # device time of the newest sample, wraps not undone
        self._wrapped_ms = 0  # to add to device times to undo wraps
        self._due_ms = 0  # device time at which the next sample of the 100 Hz is due
        self._late_run = 0
        self._reopened = False
        self._taken_ns = float("-inf")  # when the newest sample of the last block was taken

    def link_reopened(self) -> None:
        """Record that the link was opened again: the device may have rebooted meanwhile."""
        self._reopened = self._newest_ms is not None

    def begin_boot(self) -> None:
        """Begin another boot with the next sample; without effect before the first one."""
        if self._newest_ms is not None:
            self._reset_for_boot()

    def build(self, samples: SampleArray, read_ns: int) -> list[Block]:
        """Return the blocks of ``samples`` ``(n,)`` that were read at ``read_ns`` (``time.monotonic_ns()``).

        That is one block, several if the clock goes back in between, and none if thinning leaves no sample.
        """
        if not samples.size:
            return []
        device_ms: list[int] = samples["timestamp_ms"].tolist()
        if self._reopened:
            self._detect_reboot(device_ms[-1], read_ns)
        if self._is_regular(device_ms):
            self._late_run = 0
            self._newest_ms = device_ms[-1]
            self._due_ms = device_ms[-1] + STEP_MS
            wrapped = self._wrapped_ms
            times_ms = [time_ms + wrapped for time_ms in device_ms] if wrapped else device_ms
            return [self._block(samples, times_ms, self.boot, self._clock, read_ns)]
        return self._thinned(samples, device_ms, read_ns)

    def _is_regular(self, device_ms: list[int]) -> bool:
        """Return whether time advances by at least THINNING_BELOW_MS each step, as it nearly always does: all are kept."""
        before_ms = device_ms[0] - THINNING_BELOW_MS if self._newest_ms is None else self._newest_ms
        for time_ms in device_ms:
            if time_ms - before_ms < THINNING_BELOW_MS:
                return False
            before_ms = time_ms
        return True

    def _thinned(self, samples: SampleArray, device_ms: list[int], read_ns: int) -> list[Block]:
        """Return the blocks of samples that are closer together, or whose clock goes back."""
        made: list[Block] = []
        kept: list[int] = []
        times_ms: list[int] = []
        for index, time_ms in enumerate(device_ms):
            boot, clock = self.boot, self._clock
            keep = self._advance(time_ms)
            if boot != self.boot and kept:
                made.append(self._block(samples[kept], times_ms, boot, clock, read_ns))
                kept, times_ms = [], []
            if keep:
                kept.append(index)
                times_ms.append(time_ms + self._wrapped_ms)
        if kept:
            rest = samples if len(kept) == samples.shape[0] else samples[kept]
            made.append(self._block(rest, times_ms, self.boot, self._clock, read_ns))
        return made

    def _advance(self, time_ms: int) -> bool:
        """Move on to a sample; return whether it is kept."""
        step_ms = THINNING_BELOW_MS if self._newest_ms is None else time_ms - self._newest_ms
        if step_ms < 0:
            if step_ms + CLOCK_WRAP_MS <= WRAP_MAX_STEP_MS:
                self.boot += 1
                self._wrapped_ms += CLOCK_WRAP_MS
            elif -step_ms <= LATE_MAX_MS and self._late_run < LATE_MAX_RUN:
                self._late_run += 1
                self.late += 1
                return False
            else:
                self._reset_for_boot()
            step_ms = THINNING_BELOW_MS
        self._late_run = 0
        self._newest_ms = time_ms
        if step_ms >= THINNING_BELOW_MS:
            self._due_ms = time_ms + STEP_MS
            return True
        if time_ms + step_ms // 2 < self._due_ms:  # the next sample will be nearer
            return False
        self._due_ms += STEP_MS
        return True

    def _reset_for_boot(self) -> None:
        self.boot += 1
        self._newest_ms = None
        self._wrapped_ms = 0
        self._late_run = 0
        self._reopened = False
        self._clock = DeviceClock()

    def _detect_reboot(self, time_ms: int, read_ns: int) -> None:
        self._reopened = False
        assert self._newest_ms is not None
        allowed_ms = REBOOT_OFFSET_MS + REBOOT_DRIFT * max(0, time_ms - self._newest_ms)
        lateness_ms = self._clock.lateness_ms(time_ms + self._wrapped_ms, read_ns)
        if lateness_ms is not None and abs(lateness_ms) > allowed_ms:
            self._reset_for_boot()

    def _block(self, samples: SampleArray, times_ms: list[int], boot: int, clock: DeviceClock, read_ns: int) -> Block:
        clock.observe(times_ms[-1], read_ns)
        # A better estimate must not turn time back, and no sample can have been taken after it was read.
        earliest_ns, offset_s = self._taken_ns, self._wall.offset_s()
        taken_ns = clock.taken_ns(times_ms)
        if taken_ns[0] < earliest_ns or taken_ns[-1] > read_ns:  # taken_ns ascends
            taken_ns = [min(max(time_ns, earliest_ns), read_ns) for time_ns in taken_ns]
        self._taken_ns = taken_ns[-1]
        taken_s = np.array([time_ns / _NS + offset_s for time_ns in taken_ns])
        return Block(self._device, samples, taken_s, read_ns, boot)

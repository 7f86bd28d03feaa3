"""Builds blocks from the live samples of one device: thinned to 100 Hz, split at reboots, each sample dated."""

from __future__ import annotations

from typing import Final

import numpy as np

from service.base.source import Block
from service.base.wall_clock import WallClock, clock_zero_ms
from service.sources.device_clock import DeviceClock
from service.sources.rate_monitor import RateMonitor
from stinger.clock_trust import ClockTrust
from stinger.device_name import DeviceName
from stinger.rate import GAP_MS
from stinger.sample import CLOCK_WRAP_MS, SAMPLE_RATE_HZ, SampleArray
from stinger.sample_clock import ClockStep, SampleClock
from stinger.units import NS_PER_S

STEP_MS: Final = 1000 // SAMPLE_RATE_HZ
THINNING_BELOW_MS: Final = 7
"""Until the rate is known, only samples that are closer together than this are thinned."""

REBOOT_OFFSET_MS: Final = 1000.0
REBOOT_DRIFT: Final = 100e-6
"""After a link was reopened, the device has rebooted if its clock is more than REBOOT_OFFSET_MS from where it should
be, plus REBOOT_DRIFT of the time that it was away: two crystals may differ by that much."""


class BlockBuilder:
    """Builds blocks from the samples that one device sends.

    Of a stream of more than 100 Hz, the samples nearest to every 10 ms are kept. One of about 100 Hz is left as it is,
    even where its clock is coarse or its samples come in bursts: :class:`RateMonitor` measures the rate.

    ``boot`` is the boot of the newest sample; it grows by one when the device's clock goes back, by a reboot or by its
    wrap. Counters: samples dropped as ``late`` or repeated, ``thinned`` ones, and those in blocks that must not be
    scored (``unscored``). While the device's clock starts over too often to be used, its samples are dropped and count
    as late: see :mod:`stinger.clock_trust`.
    """

    def __init__(self, device: DeviceName, wall: WallClock) -> None:
        self.boot = 0
        self.late = 0
        self.thinned = 0
        self.unscored = 0
        self._device = device
        self._wall = wall
        self._clock = DeviceClock()
        self._rate = RateMonitor()
        self._sample_clock = SampleClock()
        self._trust = ClockTrust()
        self._boot_samples = 0
        self._newest: bytes | None = None  # its record
        self._wrapped_ms = 0  # to add to device times to undo wraps
        self._due_ms = 0  # device time, with wraps undone, at which the next sample of the 100 Hz is due
        self._reopened = False
        self._taken_ns = float("-inf")  # when the newest sample of the last block was taken
        self._clock_zero_ms = 0  # of the boot _dated_boot
        self._dated_boot: int | None = None
        self._singles: list[tuple[bytes, int, int]] = []  # record, time with wraps undone, and time of reading
        self._dates: list[float] = []  # of samples that were taken one by one

    @property
    def clock_usable(self) -> bool:
        """Whether the device's clock shows when samples were taken; if not, they are dropped."""
        return self._trust.usable

    @property
    def rate_problem(self) -> str | None:
        """Why the samples are not scored, as a phrase after "has", once it is certain; ``None`` if they are."""
        return self._rate.confirmed_problem

    def link_reopened(self) -> None:
        """Record that the link was opened again: the device may have rebooted meanwhile."""
        self._reopened = self._sample_clock.newest_ms is not None

    def begin_boot(self) -> None:
        """Begin another boot with the next sample; without effect before the first one."""
        self._catch_up()
        if self._sample_clock.newest_ms is not None:
            self._reset_for_boot()

    def build(self, samples: SampleArray, read_ns: int) -> list[Block]:
        """Return the blocks of ``samples`` ``(n,)`` that were read at ``read_ns`` (``time.monotonic_ns()``).

        That is one block, several if the clock goes back in between, and none if no sample is kept.
        """
        if not samples.size:
            return []
        self._catch_up()
        device_ms: list[int] = samples["timestamp_ms"].tolist()
        if not self._trust.usable:
            first = self._trust.steady_from(device_ms)
            self.late += samples.size if first is None else first
            if first is None:
                return []
            self._reset_for_boot()
            samples, device_ms = samples[first:], device_ms[first:]
        if self._reopened:
            self._detect_reboot(device_ms[-1], read_ns)
        if not self._rate.thinning and self._is_regular(device_ms):
            self._sample_clock.advance(device_ms[-1])
            self._boot_samples += len(device_ms)
            wrapped = self._wrapped_ms
            times_ms = [time_ms + wrapped for time_ms in device_ms] if wrapped else device_ms
            self._newest = samples[-1].tobytes()
            self._due_ms = times_ms[-1] + STEP_MS
            self._rate.add_regular(times_ms)
            return [self._block(samples, times_ms, self.boot, self._clock, read_ns)]
        return self._build_irregular(samples, device_ms, read_ns)

    def is_next(self, time_ms: int) -> bool:
        """Return whether a single sample at ``time_ms`` on the device's clock is due, so that :meth:`take_next` may take it.

        It continues the newest block, and nothing about it has to be decided or measured.
        """
        newest_ms = self._sample_clock.newest_ms
        return (
            newest_ms is not None
            and THINNING_BELOW_MS <= time_ms - newest_ms <= GAP_MS
            and self._dated_boot == self.boot
            and self._trust.usable
            and not self._reopened
            and self._rate.only_counts(time_ms + self._wrapped_ms)
        )

    def take_next(self, record: bytes, time_ms: int, read_ns: int) -> None:
        """Take a sample for which :meth:`is_next` is true. What it changes is only calculated when it is needed."""
        self._sample_clock.step_forward(time_ms)
        self._singles.append((record, time_ms + self._wrapped_ms, read_ns))

    def take_dates(self) -> list[float]:
        """Return when each sample that :meth:`take_next` took since the last call was taken."""
        self._catch_up()
        dates, self._dates = self._dates, []
        return dates

    def unix_offset_s(self) -> float:
        """Return what to add now to a monotonic time to get Unix time, in seconds."""
        return self._wall.offset_s()

    def _catch_up(self) -> None:
        """Calculate what the samples that :meth:`take_next` took have changed."""
        for record, time_ms, read_ns in self._singles:
            self._newest = record
            self._due_ms = time_ms + STEP_MS
            self._rate.count(time_ms)
            self._dates += self._date([time_ms], self._clock, read_ns)
        self._boot_samples += len(self._singles)
        self._singles.clear()

    def _is_regular(self, device_ms: list[int]) -> bool:
        """Return whether time advances by at least THINNING_BELOW_MS each step, as it nearly always does: all are kept."""
        newest_ms = self._sample_clock.newest_ms
        before_ms = device_ms[0] - THINNING_BELOW_MS if newest_ms is None else newest_ms
        if device_ms[-1] - before_ms >= CLOCK_WRAP_MS // 2:
            return False
        for time_ms in device_ms:
            if time_ms - before_ms < THINNING_BELOW_MS:
                return False
            before_ms = time_ms
        return True

    def _build_irregular(self, samples: SampleArray, device_ms: list[int], read_ns: int) -> list[Block]:
        """Return the blocks of samples that are closer together, or whose clock goes back."""
        made: list[Block] = []
        arrived_ms: list[int] = []
        kept: list[int] = []
        kept_ms: list[int] = []

        def finish(boot: int, clock: DeviceClock) -> None:
            self._rate.add(arrived_ms, kept_ms)
            if kept:
                own = samples if len(kept) == samples.shape[0] else samples[kept]
                made.append(self._block(own, kept_ms, boot, clock, read_ns))

        for index, time_ms in enumerate(device_ms):
            self._boot_samples += 1
            newest_ms, clock = self._sample_clock.newest_ms, self._clock
            if time_ms == newest_ms and samples[index].tobytes() == self._newest:
                self.late += 1  # a repeated sample
                continue
            step = self._sample_clock.advance(time_ms)
            if step is ClockStep.LATE:
                self.late += 1
                continue
            if step in {ClockStep.WRAP, ClockStep.REBOOT}:
                finish(self.boot, clock)
                arrived_ms, kept, kept_ms = [], [], []
                newest_ms = None
                self._trust.start_over(self._boot_samples - 1)
                self._boot_samples = 1
                if not self._trust.usable:
                    return made + self.build(samples[index:], read_ns)
                if step is ClockStep.WRAP:
                    self.boot += 1
                    self._wrapped_ms += CLOCK_WRAP_MS
                    self._rate.restart()
                else:
                    self._reset_for_boot()
                    self._sample_clock.advance(time_ms)
            self._newest = samples[index].tobytes()
            unwrapped_ms = time_ms + self._wrapped_ms
            arrived_ms.append(unwrapped_ms)
            if self._is_kept(unwrapped_ms, None if newest_ms is None else time_ms - newest_ms):
                kept.append(index)
                kept_ms.append(unwrapped_ms)
            else:
                self.thinned += 1
        finish(self.boot, self._clock)
        return made

    def _is_kept(self, time_ms: int, step_ms: int | None) -> bool:
        """Return whether a sample is kept that follows the one before it by ``step_ms``.

        ``None`` for a boot's first.
        """
        if self._rate.thinning is False:
            self._due_ms = time_ms + STEP_MS
            return True
        far_ms = THINNING_BELOW_MS - 1 if self._rate.thinning is None else GAP_MS
        if step_ms is None or step_ms > far_ms or self._due_ms < time_ms - GAP_MS:
            self._due_ms = time_ms + STEP_MS
            return True
        if time_ms + step_ms // 2 < self._due_ms:  # the next sample will be nearer
            return False
        self._due_ms += STEP_MS
        return True

    def _reset_for_boot(self) -> None:
        self.boot += 1
        self._boot_samples = 1
        self._sample_clock = SampleClock()
        self._newest = None
        self._wrapped_ms = 0
        self._reopened = False
        self._clock = DeviceClock()
        self._rate.restart()

    def _detect_reboot(self, time_ms: int, read_ns: int) -> None:
        self._reopened = False
        newest_ms = self._sample_clock.newest_ms
        assert newest_ms is not None
        allowed_ms = REBOOT_OFFSET_MS + REBOOT_DRIFT * max(0, time_ms - newest_ms)
        lateness_ms = self._clock.lateness_ms(time_ms + self._wrapped_ms, read_ns)
        if lateness_ms is not None and abs(lateness_ms) > allowed_ms:
            self._reset_for_boot()  # without effect on the trust in the clock: links are not opened often

    def _block(self, samples: SampleArray, times_ms: list[int], boot: int, clock: DeviceClock, read_ns: int) -> Block:
        taken_ns = self._date(times_ms, clock, read_ns)
        unix_offset_s = self._wall.offset_s()
        if boot != self._dated_boot:
            self._dated_boot = boot
            self._clock_zero_ms = clock_zero_ms(taken_ns[0] / NS_PER_S + unix_offset_s, int(samples["timestamp_ms"][0]))
        problem = self._rate.problem
        if problem is not None:
            self.unscored += samples.shape[0]
        return Block(
            self._device, samples, np.array(taken_ns), unix_offset_s, read_ns, self._clock_zero_ms, boot, problem
        )

    def _date(self, times_ms: list[int], clock: DeviceClock, read_ns: int) -> list[float]:
        """Return when the samples at ``times_ms``, with wraps undone, were taken, in ns of the host's monotonic clock."""
        clock.observe(times_ms[-1], read_ns)
        # A better estimate must not turn time back, and no sample can have been taken after it was read.
        earliest_ns = self._taken_ns
        taken_ns = clock.taken_ns(times_ms)
        if taken_ns[0] < earliest_ns or taken_ns[-1] > read_ns:  # taken_ns ascends
            taken_ns = [min(max(time_ns, earliest_ns), read_ns) for time_ns in taken_ns]
        self._taken_ns = taken_ns[-1]
        return taken_ns

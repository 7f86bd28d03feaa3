"""A source that plays a recording as if a blaster were sending it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from replay.schedule import Playback, Schedule
from service.base.logs import get_logger
from service.base.source import Block, Intake, LinkCounters, LinkReport, LinkState
from service.base.wall_clock import HOST_CLOCK, clock_zero_ms
from service.sources.stream_problems import StreamProblems
from stinger.device_name import DeviceName
from stinger.logs import read_log
from stinger.units import NS_PER_S

REPORT_S: Final = 1.0
"""How often the link is reported while it streams."""

_LOG: Final = get_logger(__name__)


class ReplaySource:
    """``replay:PATH``: any log file, by its own timestamps, at ``speed`` times their pace.

    ``speed`` 0 plays as fast as the daemon takes samples. ``loops`` is how often the file is repeated after the first
    time, ``None`` for ever. Every boot in the log, every wrap of its clock and every repetition begins another
    ``boot``. Samples are neither thinned nor left out; those of a recording whose rate models cannot use are not
    scored. :mod:`replay.schedule` decides what is due when.
    """

    def __init__(self, url: str, device: DeviceName, path: Path, *, speed: float = 1.0, loops: int | None = 0) -> None:
        self.device = device
        self._url = url
        self.path = path
        self._speed = speed
        self._loops = loops

    @property
    def url(self) -> str:
        """See :class:`service.base.source.Source`."""
        return self._url

    async def run(self, intake: Intake) -> None:
        """See :class:`service.base.source.Source`; raises :class:`~stinger.errors.FileError` for an unreadable log."""
        log = await asyncio.to_thread(read_log, self.path)
        for message in log.repairs.messages():
            _LOG.warning("recording_repaired", device=self.device, path=self.path, repair=message)
        problems = StreamProblems(self.device)
        schedule = Schedule.of(log.recordings)
        playback = Playback(schedule, speed=self._speed, loops=self._loops, start_ns=time.monotonic_ns())
        samples = unscored = 0
        streaming_reason = ""
        boot, zero_ms = -1, 0

        def report(state: LinkState, reason: str = "") -> None:
            intake.link(LinkReport(self.device, state, reason, LinkCounters(samples=samples, unscored=unscored)))

        report(LinkState.STREAMING)
        reported_ns = time.monotonic_ns()
        while not playback.finished:
            now_ns = time.monotonic_ns()
            due = playback.take(now_ns)
            if due is None:
                await asyncio.sleep(playback.wait_s(now_ns))
                continue
            problem = due.rate.problem
            unix_offset_s = HOST_CLOCK.offset_s()
            if due.boot != boot:
                boot = due.boot
                first_s = float(due.taken_ns[0]) / NS_PER_S + unix_offset_s
                zero_ms = clock_zero_ms(first_s, int(due.samples["timestamp_ms"][0]))
            await intake.put(
                Block(self.device, due.samples, due.taken_ns, unix_offset_s, now_ns, zero_ms, boot, problem)
            )
            samples += due.samples.shape[0]
            unscored += 0 if problem is None else due.samples.shape[0]
            before, streaming_reason = streaming_reason, problems.rate_reason(problem)
            if streaming_reason != before or time.monotonic_ns() - reported_ns >= REPORT_S * NS_PER_S:
                report(LinkState.STREAMING, streaming_reason)
                reported_ns = time.monotonic_ns()
            await asyncio.sleep(0)  # other tasks need a turn when samples are due faster than the daemon takes them
        report(LinkState.ENDED, "the recording was played to its end")

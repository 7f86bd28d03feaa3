"""A recording, played as if a blaster were sending it."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from service.base.source import Block, Intake, LinkCounters, LinkReport, LinkState
from service.sources.wall_clock import HOST_CLOCK
from stinger.device_name import DeviceName
from stinger.logs import read_log
from stinger.recording import Recording
from stinger.sample import SAMPLE_RATE_HZ, SampleArray

BLOCK_SAMPLES: Final = 4096
"""The longest block: what comes at once at speed 0, or when the flow is behind."""
BETWEEN_BOOTS_MS: Final = 1000.0
"""A log does not tell how long the blaster was off between two boots; this is what is played."""
REPORT_S: Final = 1.0

_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """A stretch of one boot: samples ``(n,)`` whose clock does not fall back, and when each is due in one playing."""

    samples: SampleArray
    due_ms: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.samples.shape[0])


class ReplaySource:
    """``replay:PATH``: any log file, by its own timestamps, at ``speed`` times theirs; pauses last as long as they did.

    ``speed`` 0 is as fast as the flow takes it; samples then count as taken at their own pace, the last one when the
    playing began. ``loops`` is how often it is played again after the first time, ``None`` for ever. Every boot in the
    log, every wrap of its clock and every playing begins another ``boot``. Nothing is thinned or left out.
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
        """See :class:`service.base.source.Source`; raises :class:`~stinger.errors.FileError` for a log that cannot be read."""
        log = await asyncio.to_thread(read_log, self.path)
        pieces, length_ms = _pieces(log.recordings)
        report = _Reports(self.device, intake)
        report.say(LinkState.STREAMING)
        start_ns, boot = time.monotonic_ns(), 0
        for _ in itertools.count() if self._loops is None else range(self._loops + 1):
            for piece in pieces:
                if self._speed:
                    await self._play(piece, start_ns, boot, report)
                else:
                    await self._pour(piece, start_ns - int(length_ms * 1e6), boot, report)
                boot += 1
            start_ns = start_ns + int(length_ms * 1e6 / self._speed) if self._speed else time.monotonic_ns()
        report.say(LinkState.ENDED, "the recording was played to its end")

    async def _play(self, piece: _Piece, start_ns: int, boot: int, report: _Reports) -> None:
        """Hand over each sample when it is due. The schedule is absolute: a late block does not delay the next one."""
        due_ns = start_ns + piece.due_ms * (1e6 / self._speed)
        begin, count = 0, len(piece)
        while begin < count:
            now_ns = time.monotonic_ns()
            end = min(int(np.searchsorted(due_ns, now_ns, side="right")), begin + BLOCK_SAMPLES)
            if end <= begin:
                await asyncio.sleep((due_ns[begin] - now_ns) / _NS)
                continue
            taken_s = due_ns[begin:end] / _NS + HOST_CLOCK.offset_s()
            await report.put(Block(self.device, piece.samples[begin:end], taken_s, now_ns, boot))
            await asyncio.sleep(0)  # where this cannot keep up, there is no other moment for others
            begin = end

    async def _pour(self, piece: _Piece, start_ns: int, boot: int, report: _Reports) -> None:
        """Hand over everything in the largest blocks; others get their turn after each."""
        taken_s = (start_ns + piece.due_ms * 1e6) / _NS + HOST_CLOCK.offset_s()
        for begin in range(0, len(piece), BLOCK_SAMPLES):
            part = slice(begin, begin + BLOCK_SAMPLES)
            await report.put(Block(self.device, piece.samples[part], taken_s[part], time.monotonic_ns(), boot))
            await asyncio.sleep(0)


class _Reports:
    """What the flow is told, with the count of samples that it was given."""

    def __init__(self, device: DeviceName, intake: Intake) -> None:
        self._device = device
        self._intake = intake
        self._samples = 0
        self._said_ns = 0

    async def put(self, block: Block) -> None:
        """Hand over a block, and say now and then how many it were."""
        await self._intake.put(block)
        self._samples += block.samples.shape[0]
        if time.monotonic_ns() - self._said_ns >= REPORT_S * _NS:
            self.say(LinkState.STREAMING)

    def say(self, state: LinkState, reason: str = "") -> None:
        self._said_ns = time.monotonic_ns()
        self._intake.link(LinkReport(self._device, state, reason, LinkCounters(samples=self._samples)))


def _pieces(recordings: tuple[Recording, ...]) -> tuple[list[_Piece], float]:
    """The pieces of a log in their order, and how long one playing of it takes, in ms at speed 1."""
    pieces: list[_Piece] = []
    begin_ms = 0.0
    for recording in recordings:
        due_ms = begin_ms + (recording.time_ms - recording.time_ms[0]).astype(np.float64)
        raw_ms = recording.samples["timestamp_ms"]
        edges = [0, *(np.flatnonzero(raw_ms[1:] < raw_ms[:-1]) + 1).tolist(), len(recording)]
        pieces += [_Piece(recording.samples[a:b], due_ms[a:b]) for a, b in pairwise(edges)]
        begin_ms = float(due_ms[-1]) + BETWEEN_BOOTS_MS
    return pieces, begin_ms - BETWEEN_BOOTS_MS + 1000.0 / SAMPLE_RATE_HZ

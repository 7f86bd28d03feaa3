"""One device's side of a link: asks for samples, brings them to the flow, notices silence, tells how the link is."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from service.base.backoff import FIRST_S, LONGEST_S
from service.base.link_errors import LinkLostError
from service.base.source import Intake, LinkCounters, LinkReport, LinkState
from service.sources.block_builder import BlockBuilder
from service.sources.link_reader import LinkReader
from service.sources.wall_clock import HOST_CLOCK
from stinger.device_name import DeviceName
from stinger.wire.stream import SampleStream, StreamKind

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LinkTiming:
    """When a link counts as what, in seconds."""

    silence_s: float = 2.0
    """Without a sample for so long the link is silent."""
    opening_s: float = 6.0
    """So long a link that was just opened is kept, silent or not: opening the port restarts some boards."""
    ask_again_s: float = 1.0
    """So often samples are asked for while none has come: a board that is starting does not hear."""
    good_stretch_s: float = 1.0
    """After so long a stream, the next failure is tried again as quickly as the first."""
    report_s: float = 1.0
    """So often a link that streams says once more how it is."""
    connect_s: float = 5.0
    """How long a connection may take to be made."""
    close_s: float = 0.5
    """How long a link may take to send what it still has when it is closed."""
    first_retry_s: float = FIRST_S
    longest_retry_s: float = LONGEST_S


DEFAULT_TIMING: Final = LinkTiming()


class DeviceStream:
    """What outlives the single links to a device: counters, its clock, and what was said last."""

    def __init__(self, device: DeviceName, intake: Intake, timing: LinkTiming) -> None:
        self.streamed_s = 0.0
        """From the first to the newest sample of the newest link."""
        self._device = device
        self._intake = intake
        self._timing = timing
        self._timeline = BlockBuilder(device, HOST_CLOCK)
        self._stream = SampleStream()
        self._before = LinkCounters()  # of the links before this one
        self._samples = 0
        self._reconnects = 0
        self._told: tuple[LinkState, str] | None = None

    async def stream(self, reader: LinkReader, transport: asyncio.Transport) -> None:
        """Bring what comes over a link that was just opened, until :class:`LinkLostError` says that it is over."""
        self._before = self._counters()
        self._stream = SampleStream()
        self._timeline.reopened()
        now = asyncio.get_running_loop().time
        watch = _Watch(self._timing, now())
        reported_s = now()
        transport.write(self._stream.start())
        try:
            while True:
                chunks = await reader.fetch(watch.next_s())
                came = False
                for data, read_ns in chunks:
                    came |= await self._bring(data, read_ns)
                now_s = now()
                if came:
                    watch.heard(now_s)
                    if self._told != (LinkState.STREAMING, "") or now_s - reported_s >= self._timing.report_s:
                        self.report(LinkState.STREAMING)
                        reported_s = now_s
                    continue
                watch.noise |= bool(chunks)
                if watch.is_silent(now_s):
                    self.report(LinkState.SILENT, watch.reason())
                    watch.check(now_s)
                if watch.asks(now_s):
                    transport.write(self._stream.start())
        finally:
            self.streamed_s = watch.streamed_s
            if not transport.is_closing():
                transport.write(self._stream.stop())

    def report(self, state: LinkState, reason: str = "") -> None:
        """Tell the flow how the link is, and the log if it is another state than before."""
        before, self._told = self._told, (state, reason)
        if state is not LinkState.STREAMING and before == self._told:
            return
        counters = self._counters()
        self._intake.link(LinkReport(self._device, state, reason, counters))
        if before != self._told:
            good = state in {LinkState.STREAMING, LinkState.CONNECTING}
            again = before is not None and before[0] not in {LinkState.STREAMING, LinkState.CONNECTING}
            level = logging.INFO if good else logging.DEBUG if again else logging.WARNING
            _LOG.log(level, "link device=%s state=%s reason=%r", self._device, state.value, reason)

    def lost(self, error: LinkLostError) -> None:
        """Note that a link is over, or could not be opened; the next one will be a reconnection."""
        if not isinstance(error, SilentError):
            self.report(LinkState.LOST, str(error))
        self._reconnects += 1

    async def _bring(self, data: bytes, read_ns: int) -> bool:
        """Decode what came and hand it over; whether there was a sample in it."""
        kind = self._stream.kind
        samples = self._stream.feed(data)
        if not samples.size:
            return False
        if kind is None and self._stream.kind is StreamKind.TEXT:
            self._timeline.started_over()  # its clock counts rows from the opening of the port
        for block in self._timeline.blocks(samples, read_ns):
            if self._told != (LinkState.STREAMING, ""):
                self.report(LinkState.STREAMING)
            self._samples += block.samples.shape[0]
            await self._intake.put(block)
        return True

    def _counters(self) -> LinkCounters:
        stream, before = self._stream, self._before
        return LinkCounters(
            samples=self._samples,
            lost=before.lost + stream.frames.lost,
            corrupted=before.corrupted + stream.frames.corrupted + stream.text.malformed,
            out_of_order=before.out_of_order + stream.frames.out_of_order,
            reconnects=self._reconnects,
        )


class SilentError(LinkLostError):
    """The link is open, but no sample comes; that it is silent has been reported."""


class _Watch:
    """When samples came over one link, and what is to be done if none does. Times are of the loop's clock."""

    def __init__(self, timing: LinkTiming, opened_s: float) -> None:
        self._timing = timing
        self._opened_s = self._heard_s = self._asked_s = opened_s
        self._first_s: float | None = None
        self._silent = False
        self.noise = False
        """Whether something has come since the last sample."""

    @property
    def streamed_s(self) -> float:
        return 0.0 if self._first_s is None else self._heard_s - self._first_s

    def heard(self, now_s: float) -> None:
        """Note that a sample has come."""
        self._first_s = now_s if self._first_s is None else self._first_s
        self._heard_s = now_s
        self.noise = False

    def next_s(self) -> float:
        """When to look again, though nothing has come."""
        silent_s = self._heard_s + self._timing.silence_s
        if self._first_s is not None:
            return silent_s
        ask_s = self._asked_s + self._timing.ask_again_s
        return min(ask_s, self._opened_s + self._timing.opening_s if self._silent else silent_s)

    def is_silent(self, now_s: float) -> bool:
        self._silent = now_s >= self._heard_s + self._timing.silence_s
        return self._silent

    def check(self, now_s: float) -> None:
        """Raise :class:`SilentError` if a silent link is to be opened again."""
        if self._first_s is not None or now_s >= self._opened_s + self._timing.opening_s:
            raise SilentError("silent")

    def reason(self) -> str:
        """What to tell about a silent link."""
        hint = ", though something comes: not a blaster, or another baud rate" if self.noise else ""
        return f"no sample for {self._timing.silence_s:g} s{hint}"

    def asks(self, now_s: float) -> bool:
        """Whether it is time to ask for samples once more."""
        if self._first_s is not None or now_s < self._asked_s + self._timing.ask_again_s:
            return False
        self._asked_s = now_s
        return True

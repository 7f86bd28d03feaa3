"""Reads the sample stream of one device: requests it, decodes it, detects silence, and reports the state of the link."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Final

from service.base.backoff import FIRST_S, LONGEST_S
from service.base.link_errors import LinkLostError
from service.base.logs import get_logger
from service.base.source import Intake, LinkCounters, LinkReport, LinkState, SingleIntake
from service.base.wall_clock import HOST_CLOCK
from service.sources.block_builder import BlockBuilder
from service.sources.link_reader import LinkReader
from service.sources.stream_problems import StreamProblems
from stinger.device_name import DeviceName
from stinger.units import NS_PER_S
from stinger.wire.stream import SampleStream, StreamKind

TELNET_REASON: Final = (
    "looks like telnet mode: bytes 0xFF arrive doubled, which damages about half of the samples; set the bridge to raw mode "
    "(ser2net: 'raw' or 'tcp' in place of 'telnet')"
)

_SINGLES_MAX_BYTES: Final = 100
"""About four frames. More that arrive at once cost less as a block."""
_LOG: Final = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LinkTiming:
    """Time limits and intervals of a link, in seconds."""

    silence_s: float = 2.0
    """The link counts as silent when no sample has arrived for this long."""
    open_grace_s: float = 6.0
    """A link without any sample yet is reopened only this long after it was opened: opening a port restarts some
    boards.
    """
    request_interval_s: float = 1.0
    """Interval of requests for samples until the first arrives: a board that is starting does not receive them."""
    stable_s: float = 1.0
    """After streaming for this long, the next failure is retried as quickly as the first."""
    report_s: float = 1.0
    """Interval of link reports while streaming."""
    connect_s: float = 5.0
    """Limit for making a connection."""
    close_s: float = 0.5
    """Limit for sending what is still buffered when the link is closed."""
    first_retry_s: float = FIRST_S
    longest_retry_s: float = LONGEST_S


DEFAULT_TIMING: Final = LinkTiming()


class DeviceStream:
    """The sample stream of one device over successive links.

    Keeps what outlives a single link: the counters, the estimate of the device's clock and the last reported state.
    """

    def __init__(self, device: DeviceName, intake: Intake, timing: LinkTiming) -> None:
        self.streamed_s = 0.0
        """Time from the first to the newest sample of the latest link."""
        self._device = device
        self._intake = intake
        self._single_intake = intake if isinstance(intake, SingleIntake) else None
        self._timing = timing
        self._builder = BlockBuilder(device, HOST_CLOCK)
        self._decoder = SampleStream()
        self._earlier = LinkCounters()  # totals of the links before this one
        self._samples = 0
        self._reconnects = 0
        self._reported: tuple[LinkState, str] | None = None
        self._reported_s = time.monotonic()
        self._silence = _SilenceDetector(timing, self._reported_s)
        self._problems = StreamProblems(device)
        self._telnet_logged = False

    async def run(self, reader: LinkReader, transport: asyncio.Transport) -> None:
        """Deliver the samples of a link that was just opened, until it ends by raising :class:`LinkLostError`."""
        self._earlier = self._counters()
        self._decoder = SampleStream()
        self._builder.link_reopened()
        now = asyncio.get_running_loop().time
        self._silence = silence = _SilenceDetector(self._timing, now())
        transport.write(self._decoder.start())
        try:
            while True:
                chunks = await reader.fetch(silence.next_check_s(), self._take_singles)
                has_sample = False
                for data, read_ns in chunks:
                    has_sample |= await self._deliver(data, read_ns)
                now_s = now()
                if has_sample:
                    silence.sample_received(now_s)
                    if (
                        self._reported != (LinkState.STREAMING, self._streaming_reason())
                        or now_s - self._reported_s >= self._timing.report_s
                    ):
                        self.report(LinkState.STREAMING, self._streaming_reason())
                    continue
                silence.nothing_received(now_s, noise=bool(chunks))
                if silence.detected:
                    self.report(LinkState.SILENT, silence.reason(telnet=self._decoder.frames.looks_like_telnet))
                    if silence.should_reopen(now_s):
                        raise SilentError("silent")
                if silence.should_request(now_s):
                    transport.write(self._decoder.start())
                    silence.requested(now_s)
        finally:
            self.streamed_s = silence.streamed_s
            if not transport.is_closing():
                transport.write(self._decoder.stop())

    def report(self, state: LinkState, reason: str = "") -> None:
        """Report the state of the link to the intake, and log it if it has changed."""
        before, self._reported = self._reported, (state, reason)
        self._reported_s = time.monotonic()
        if state is not LinkState.STREAMING and before == self._reported:
            return
        counters = self._counters()
        self._intake.link(LinkReport(self._device, state, reason, counters, self._builder.clock_usable))
        if before != self._reported:
            good = state in {LinkState.STREAMING, LinkState.CONNECTING}
            repeated = before is not None and before[0] not in {LinkState.STREAMING, LinkState.CONNECTING}
            level = logging.INFO if good else logging.DEBUG if repeated else logging.WARNING
            _LOG.log(level, "link_state_changed", device=self._device, state=state.value, reason=reason)

    def link_lost(self, error: LinkLostError) -> None:
        """Record that a link has ended or could not be opened; the next one counts as a reconnection."""
        if not isinstance(error, SilentError):
            self.report(LinkState.LOST, str(error))
        self._reconnects += 1

    async def _deliver(self, data: bytes, read_ns: int) -> bool:
        """Decode received bytes and deliver the samples in them; return whether there were any."""
        kind = self._decoder.kind
        samples = self._decoder.feed(data)
        if not samples.size:
            return False
        if kind is None and self._decoder.kind is StreamKind.TEXT:
            self._builder.begin_boot()  # the text stream has no clock: its rows are counted from the opening of the port
        for block in self._builder.build(samples, read_ns):
            if self._reported is None or self._reported[0] is not LinkState.STREAMING:
                self.report(LinkState.STREAMING, self._streaming_reason())
            self._samples += block.samples.shape[0]
            await self._intake.put(block)
        return True

    def _take_singles(self, data: bytes, read_ns: int) -> int:
        """Deliver samples that arrive alone, as nearly always, in the callback of the event loop.

        Return how many bytes they have. Everything else is left to :meth:`run`.
        """
        read_s = read_ns / NS_PER_S  # on the clock of the event loop
        intake, builder, taken = self._single_intake, self._builder, 0
        if intake is None or len(data) > _SINGLES_MAX_BYTES:
            return 0
        while end := data.find(b"\0", taken) + 1:
            record = self._decoder.find_single(data[taken:end])
            if record is None:
                break
            time_ms = int.from_bytes(record[:4], "little")
            if not builder.is_next(time_ms) or not intake.put_single(self._device, record, time_ms, read_ns, builder):
                break
            self._decoder.take_single()
            self._samples += 1
            taken = end
        if taken:
            self._silence.sample_received(read_s)
            if read_s - self._reported_s >= self._timing.report_s:
                self.report(LinkState.STREAMING, self._streaming_reason())
        return taken

    def _streaming_reason(self) -> str:
        """Return what is wrong with a link that delivers samples, for a person; empty if nothing is."""
        reason = self._problems.reason_of(self._builder)
        if not self._decoder.frames.looks_like_telnet:
            return reason
        if not self._telnet_logged:
            self._telnet_logged = True
            _LOG.warning("telnet_mode_detected", device=self._device, reason=TELNET_REASON)
        return TELNET_REASON

    def _counters(self) -> LinkCounters:
        decoder, earlier = self._decoder, self._earlier
        return LinkCounters(
            samples=self._samples,
            lost=earlier.lost + decoder.frames.lost,
            corrupted=earlier.corrupted + decoder.frames.corrupted + decoder.text.malformed,
            out_of_order=earlier.out_of_order + decoder.frames.out_of_order,
            reconnects=self._reconnects,
            late=self._builder.late,
            thinned=self._builder.thinned,
            unscored=self._builder.unscored,
        )


class SilentError(LinkLostError):
    """The link is open but delivers no samples. The state ``silent`` has been reported already."""


class _SilenceDetector:
    """Decides for one link when it is silent, when to request samples again and when to reopen it.

    Times are seconds of the event loop's clock.
    """

    def __init__(self, timing: LinkTiming, opened_s: float) -> None:
        self.detected = False
        """Whether the link was silent at the last check."""
        self._timing = timing
        self._opened_s = self._newest_s = self._requested_s = opened_s
        self._first_s: float | None = None  # time of the first sample
        self._noise = False  # whether bytes without a sample have arrived since the newest sample

    @property
    def streamed_s(self) -> float:
        """Time from the first to the newest sample."""
        return 0.0 if self._first_s is None else self._newest_s - self._first_s

    def next_check_s(self) -> float:
        """Return when to check again even if nothing arrives."""
        silent_s = self._newest_s + self._timing.silence_s
        if self._first_s is not None:
            return silent_s
        request_s = self._requested_s + self._timing.request_interval_s
        return min(request_s, self._opened_s + self._timing.open_grace_s if self.detected else silent_s)

    def sample_received(self, now_s: float) -> None:
        """Record that a sample has arrived."""
        self._first_s = now_s if self._first_s is None else self._first_s
        self._newest_s = now_s
        self._noise = False

    def nothing_received(self, now_s: float, *, noise: bool) -> None:
        """Record that no sample has arrived until ``now_s``; ``noise``: other bytes have."""
        self._noise |= noise
        self.detected = now_s >= self._newest_s + self._timing.silence_s

    def should_reopen(self, now_s: float) -> bool:
        """Return whether a silent link should be closed and opened again."""
        return self._first_s is not None or now_s >= self._opened_s + self._timing.open_grace_s

    def should_request(self, now_s: float) -> bool:
        """Return whether it is time to request samples again."""
        return self._first_s is None and now_s >= self._requested_s + self._timing.request_interval_s

    def requested(self, now_s: float) -> None:
        """Record that samples were requested."""
        self._requested_s = now_s

    def reason(self, *, telnet: bool) -> str:
        """Return a description of the silence for a person; ``telnet``: the data looks like telnet mode."""
        hint = ", although data arrives: not a blaster, or a different baud rate" if self._noise else ""
        if self._noise and telnet:
            hint = f": {TELNET_REASON}"
        return f"no sample for {self._timing.silence_s:g} s{hint}"

"""The devices that publish over MQTT, as far as they were heard: their samples, their links, what was lost."""

from __future__ import annotations

import logging
import time
from typing import Final, NamedTuple

from service.base.source import Block, Intake, LinkCounters, LinkReport, LinkState
from service.sources.block_builder import BlockBuilder
from service.sources.wall_clock import HOST_CLOCK
from stinger.device_name import DeviceName
from stinger.errors import ProtocolError
from stinger.wire.sample_messages import MessageCounter, decode_message, device_of

DEVICES_MAX: Final = 10_000
"""More are not listened to: each costs memory for good, and anyone who may publish can make up names."""
REPORT_S: Final = 1.0

_NS: Final = 1_000_000_000
_LOG: Final = logging.getLogger(__name__)


class ReceivedMessage(NamedTuple):
    """A message that a broker delivered, not a retained one, and ``time.monotonic_ns()`` of its reading."""

    topic: str
    payload: bytes
    read_ns: int


class MqttDevices:
    """Takes messages and gives blocks; moves no bytes. ``intake`` is only told how the links are."""

    def __init__(self, prefix: str, silence_s: float) -> None:
        self._prefix = prefix
        self._silence_s = silence_s
        self._blasters: dict[DeviceName, _MqttDevice] = {}
        self._warned: set[str] = set()

    def receive(self, message: ReceivedMessage, intake: Intake) -> list[Block]:
        """The blocks in a message; none if it is a repeat, damaged, or of a topic that is no device's."""
        device = device_of(message.topic, self._prefix)
        if device is None:
            self._warn_once("topic", "message topic=%r reason='no device can have this name'", message.topic[:100])
            return []
        blaster = self._blasters.get(device)
        if blaster is None:
            if len(self._blasters) >= DEVICES_MAX:
                self._warn_once("full", "message topic=%r reason='more than %d devices'", message.topic, DEVICES_MAX)
                return []
            blaster = self._blasters[device] = _MqttDevice(device)
        return blaster.receive(message, intake)

    def check(self, intake: Intake, now_ns: int | None = None) -> None:
        """Report the devices that have fallen silent by ``now_ns`` (monotonic; ``None``: now)."""
        now_ns = time.monotonic_ns() if now_ns is None else now_ns
        for blaster in self._blasters.values():
            if blaster.state is LinkState.STREAMING and now_ns - blaster.read_ns >= self._silence_s * _NS:
                blaster.report(LinkState.SILENT, f"nothing published for {self._silence_s:g} s", intake)

    def disconnected(self, reason: str, intake: Intake) -> None:
        """Report every device as lost: what it publishes does not arrive any longer."""
        for blaster in self._blasters.values():
            if blaster.state is not LinkState.LOST:
                blaster.report(LinkState.LOST, reason, intake)

    def _warn_once(self, kind: str, text: str, *values: object) -> None:
        _LOG.log(logging.DEBUG if kind in self._warned else logging.WARNING, text, *values)
        self._warned.add(kind)


class _MqttDevice:
    """One device that publishes."""

    def __init__(self, device: DeviceName) -> None:
        self.state = LinkState.CONNECTING
        self.read_ns = 0
        self._device = device
        self._counter = MessageCounter()
        self._timeline = BlockBuilder(device, HOST_CLOCK)
        self._samples = 0
        self._damaged = 0
        self._reconnects = 0
        self._reported_ns = 0

    def receive(self, message: ReceivedMessage, intake: Intake) -> list[Block]:
        try:
            content = decode_message(message.payload)
        except ProtocolError as error:
            self._damaged += 1
            _LOG.log(
                logging.WARNING if self._damaged == 1 else logging.DEBUG,
                "message device=%s reason=%r",
                self._device,
                str(error),
            )
            return []
        if not self._counter.is_new(content):
            return []
        self.read_ns = message.read_ns
        if self.state in {LinkState.SILENT, LinkState.LOST}:
            self._reconnects += 1
            self._timeline.reopened()
        blocks = self._timeline.blocks(content.samples, message.read_ns)
        if self.state is not LinkState.STREAMING or message.read_ns - self._reported_ns >= REPORT_S * _NS:
            self.report(LinkState.STREAMING, "", intake)
        self._samples += sum(block.samples.shape[0] for block in blocks)
        return blocks

    def report(self, state: LinkState, reason: str, intake: Intake) -> None:
        """Tell how the link is, and the log if it is another way than before."""
        if state is not self.state:
            level = logging.INFO if state is LinkState.STREAMING else logging.WARNING
            _LOG.log(level, "link device=%s state=%s reason=%r", self._device, state.value, reason)
        self.state = state
        self._reported_ns = time.monotonic_ns()
        counters = LinkCounters(
            samples=self._samples,
            lost=self._counter.lost,
            corrupted=self._damaged,
            out_of_order=self._counter.repeated,
            reconnects=self._reconnects,
        )
        intake.link(LinkReport(self._device, state, reason, counters))

"""Turns the messages that devices publish over MQTT into blocks, and tracks the link of each device."""

from __future__ import annotations

import logging
import time
from typing import Final, NamedTuple

from service.base.logs import get_logger
from service.base.source import Block, Intake, LinkCounters, LinkReport, LinkState
from service.base.wall_clock import HOST_CLOCK
from service.config.topic_root import TopicRoot
from service.sources.block_builder import BlockBuilder
from service.sources.device_limit import REPLACED_AFTER_S, DeviceLimit
from service.sources.stream_problems import StreamProblems
from stinger.device_name import DeviceName
from stinger.errors import InputError, ProtocolError
from stinger.units import NS_PER_S
from stinger.wire.sample_messages import MessageCounter, SampleMessage, decode_message, device_of

REPORT_S: Final = 1.0
"""Interval of link reports while a device streams."""

_LOGGED_TOPIC_MAX: Final = 100
_LOG: Final = get_logger(__name__)


class ReceivedMessage(NamedTuple):
    """A message from a broker, not a retained one, and ``time.monotonic_ns()`` when it was read."""

    topic: str
    payload: bytes
    read_ns: int


class MqttDevices:
    """The devices that publish below ``prefix``. A device is added by its first valid message, as ``limit`` allows.

    Performs no I/O; link reports go to the ``intake`` that is passed in. A device is silent after ``silence_s`` without
    a message.
    """

    def __init__(
        self, prefix: str, silence_s: float, limit: DeviceLimit | None = None, root: TopicRoot | None = None
    ) -> None:
        self._prefix = prefix
        self._root = TopicRoot() if root is None else root
        self._silence_s = silence_s
        self._limit = DeviceLimit() if limit is None else limit
        self._devices: dict[DeviceName, PublishingDevice] = {}
        self._by_topic: dict[str, PublishingDevice] = {}
        self._foreign_logged = False

    def receive(self, message: ReceivedMessage, intake: Intake) -> list[Block]:
        """Return the blocks in a message; none if it is repeated or damaged, or its topic is not that of a device."""
        device = self._by_topic.get(message.topic)
        if device is None and (name := device_of(message.topic, self._prefix)) is None:
            self._log_foreign(message.topic)
            return []
        try:
            content = decode_message(message.payload)
        except ProtocolError as error:
            if device is not None:
                device.damaged(error)
            return []
        if device is None:
            assert name is not None
            self._make_room(message.read_ns)
            if not self._limit.accepts(name, len(self._devices)):
                return []
            device = self._devices[name] = self._by_topic[message.topic] = PublishingDevice(name)
        return device.receive(content, message.read_ns, intake)

    def _make_room(self, now_ns: int) -> None:
        """At the limit, forget the device that was silent longest, if it was for long enough."""
        if len(self._devices) < self._limit.max_devices:
            return
        name, oldest = min(self._devices.items(), key=lambda entry: entry[1].read_ns)
        if now_ns - oldest.read_ns >= REPLACED_AFTER_S * NS_PER_S:
            self._remove(name)
            self._limit.forget(name)

    def _remove(self, name: DeviceName) -> None:
        device = self._devices.pop(name)
        self._by_topic = {topic: other for topic, other in self._by_topic.items() if other is not device}

    def forget(self, name: DeviceName) -> bool:
        """Forget the device ``name``; it is new if it publishes again. Return whether it was known.

        Raises :class:`InputError` if it still publishes.
        """
        device = self._devices.get(name)
        if device is not None and device.state is LinkState.STREAMING:
            raise InputError(f"'{name}' still publishes samples: switch it off first")
        if device is None:
            return False
        self._remove(name)
        return True

    def check_silence(self, intake: Intake, now_ns: int | None = None) -> None:
        """Report the devices that have fallen silent by ``now_ns`` (monotonic; ``None``: now)."""
        now_ns = time.monotonic_ns() if now_ns is None else now_ns
        self._limit.check()
        for device in self._devices.values():
            if device.state is LinkState.STREAMING and now_ns - device.read_ns >= self._silence_s * NS_PER_S:
                device.report(LinkState.SILENT, f"nothing published for {self._silence_s:g} s", intake)

    def disconnected(self, reason: str, intake: Intake) -> None:
        """Report every device as lost, because the connection to the broker was lost."""
        for device in self._devices.values():
            if device.state is not LinkState.LOST:
                device.report(LinkState.LOST, reason, intake)

    def _log_foreign(self, topic: str) -> None:
        level = logging.DEBUG if self._foreign_logged else logging.WARNING
        self._foreign_logged = True
        topic = self._root.outward(topic)
        _LOG.log(level, "message_ignored", topic=topic[:_LOGGED_TOPIC_MAX], reason="no device can have this name")


class PublishingDevice:
    """One device that publishes, and the state of its link."""

    def __init__(self, device: DeviceName) -> None:
        self.state = LinkState.CONNECTING
        self.read_ns = 0
        """When its newest message was read."""
        self._device = device
        self._counter = MessageCounter()
        self._builder = BlockBuilder(device, HOST_CLOCK)
        self._problems = StreamProblems(device)
        self._samples = 0
        self._damaged = 0
        self._reconnects = 0
        self._reported_ns = 0
        self._reason = ""

    def damaged(self, error: ProtocolError) -> None:
        """Count a message that could not be decoded."""
        self._damaged += 1
        level = logging.WARNING if self._damaged == 1 else logging.DEBUG
        _LOG.log(level, "message_damaged", device=self._device, reason=error)

    def receive(
        self, content: SampleMessage, read_ns: int, intake: Intake, *, arrived_ns: int | None = None
    ) -> list[Block]:
        """Return the blocks of a message that was read at ``read_ns``.

        ``arrived_ns`` is when it arrived, on the same clock, if that was earlier; samples are dated by it, and the
        blocks name it as the time at which they were read.
        """
        if not self._counter.is_new(content):
            return []
        self.read_ns = read_ns
        if self.state is LinkState.SILENT or self.state is LinkState.LOST:
            self._reconnects += 1
            self._builder.link_reopened()
        blocks = self._builder.build(content.samples, read_ns if arrived_ns is None else arrived_ns)
        reason = self._problems.reason_of(self._builder)
        if (
            self.state is not LinkState.STREAMING
            or reason != self._reason
            or read_ns - self._reported_ns >= REPORT_S * NS_PER_S
        ):
            self.report(LinkState.STREAMING, reason, intake)
        for block in blocks:
            self._samples += block.samples.shape[0]
        return blocks

    def report(self, state: LinkState, reason: str, intake: Intake) -> None:
        """Report the state of the link, and log it if it has changed."""
        if state is not self.state:
            level = logging.INFO if state is LinkState.STREAMING else logging.WARNING
            _LOG.log(level, "link_state_changed", device=self._device, state=state.value, reason=reason)
        self.state = state
        self._reason = reason
        self._reported_ns = time.monotonic_ns()
        counters = LinkCounters(
            samples=self._samples,
            lost=self._counter.lost,
            corrupted=self._damaged,
            out_of_order=self._counter.repeated,
            reconnects=self._reconnects,
            late=self._builder.late,
            thinned=self._builder.thinned,
            unscored=self._builder.unscored,
        )
        intake.link(LinkReport(self._device, state, reason, counters, self._builder.clock_usable))

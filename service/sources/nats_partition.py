"""One partition while this daemon reads it: turns its messages into blocks, and notes which were processed."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from typing import Final

from service.base.logs import RepeatedFailure, get_logger
from service.base.source import Block, Intake, LinkState
from service.base.wall_clock import HOST_CLOCK
from service.sources.device_limit import DeviceLimit
from service.sources.mqtt_devices import PublishingDevice
from service.sources.nats_checkpoint import Boot, Checkpoint
from service.sources.nats_reader import StreamMessage
from stinger.device_name import DeviceName, parse_device_name
from stinger.errors import InputError, ProtocolError
from stinger.units import NS_PER_MS, NS_PER_S
from stinger.wire.sample_messages import decode_message

WARM_UP_S: Final = 6.0
"""Length of what a new holder of a partition reads again: after 600 samples, an envelope that began at 0 is right to
2e-8."""
LONGEST_WARM_UP_S: Final = 120.0
"""Limit of that length while wheels are on: reading then begins :data:`WARM_UP_S` before they went on."""
BOOT_KEPT_MS: Final = 3_600_000
"""The boot of a device that has been silent for longer is forgotten."""

_DEVICE_LEVEL: Final = 3
_LOG: Final = get_logger(__name__)


class Partition:
    """The devices of one partition, which was taken with ``checkpoint``. Performs no I/O.

    Messages up to the position of the checkpoint only warm up windows and envelopes. ``limit`` decides about devices
    that are new to the group; ``known`` returns how many this daemon serves. After ``silence_s`` without a message a
    device is silent.
    """

    def __init__(
        self, checkpoint: Checkpoint, *, limit: DeviceLimit, known: Callable[[], int], silence_s: float
    ) -> None:
        self.ignored = 0
        """Messages that are no samples, or of a device that was not accepted."""
        self.pending = 0
        """Messages that wait at the server, as of the last one read."""
        self.stored_ns = 0
        """Unix time at which the server stored the newest message that was read."""
        self._taken = checkpoint
        self._limit = limit
        self._known = known
        self._silence_s = silence_s
        self._devices: dict[DeviceName, PublishingDevice] = {}
        self._names: dict[str, DeviceName] = {}  # of the devices, by subject
        self._boots = dict(checkpoint.boots)
        self._earlier_boots: dict[DeviceName, Boot] = {}  # the boot before the newest one
        self._boot_numbers: dict[DeviceName, int] = {}
        self._spinning = dict(checkpoint.spinning)
        self._read = checkpoint.position
        self._unscored: dict[int, int] = {}  # number of blocks by position, ascending
        self._times = _Timeline(checkpoint.warm_up_from)
        self._failure = RepeatedFailure(_LOG, "message_ignored")

    @property
    def devices(self) -> tuple[DeviceName, ...]:
        """Devices that have published since the partition was taken."""
        return tuple(self._devices)

    @property
    def start(self) -> int:
        """Position from which to read."""
        return min(self._taken.warm_up_from, self._taken.position + 1)

    @property
    def unscored_messages(self) -> int:
        """Number of messages that were read and not scored yet."""
        return len(self._unscored)

    def receive(self, message: StreamMessage, intake: Intake) -> list[Block]:
        """Return the blocks of the next message.

        There are none if it is a repeat, has no samples, or its device is not accepted.
        """
        warm_up = message.position <= self._taken.position
        self.pending, self.stored_ns = message.pending, message.stored_ns
        self._times.add(message.stored_ns, message.position)
        blocks = self._blocks(message, intake, warm_up=warm_up)
        if not warm_up:
            self._read = message.position
            if blocks:
                self._unscored[message.position] = len(blocks)
        return blocks

    def idle(self) -> None:
        """Note that no message waits at the server."""
        self.pending = 0

    def scored(self, position: int) -> None:
        """Note that a block of the message at ``position`` was recorded and scored, and its events published."""
        left = self._unscored.get(position, 0) - 1
        if left > 0:
            self._unscored[position] = left
        else:
            self._unscored.pop(position, None)

    def switched(self, device: DeviceName, *, on: bool) -> None:
        """Note that wheels of ``device`` went on or off."""
        if on:
            self._spinning[device] = self._read
        else:
            self._spinning.pop(device, None)

    def checkpoint(self) -> Checkpoint:
        """Return how far the partition has been processed."""
        position = next(iter(self._unscored)) - 1 if self._unscored else self._read
        now_ms = self.stored_ns // NS_PER_MS
        for name in [name for name, boot in self._boots.items() if now_ms - boot.seen_ms > BOOT_KEPT_MS]:
            del self._boots[name]
        boots = {
            name: boot if boot.position <= position else self._earlier_boots.get(name, boot)
            for name, boot in self._boots.items()
        }
        return Checkpoint(
            position,
            min(self._times.before([position, *self._spinning.values()], position), position + 1),
            {name: boot for name, boot in boots.items() if boot.position <= position},
            {name: at for name, at in self._spinning.items() if at <= position},
        )

    def check_silence(self, intake: Intake, now_ns: int) -> None:
        """Report the devices that have fallen silent by ``now_ns`` (monotonic)."""
        for device in self._devices.values():
            if device.state is LinkState.STREAMING and now_ns - device.read_ns >= self._silence_s * NS_PER_S:
                device.report(LinkState.SILENT, f"nothing published for {self._silence_s:g} s", intake)

    def forget(self, name: DeviceName) -> bool:
        """Forget the device ``name``; it is new if it publishes again. Return whether it was known.

        Raises :class:`InputError` if it still publishes.
        """
        device = self._devices.get(name)
        if device is not None and device.state is LinkState.STREAMING:
            raise InputError(f"'{name}' still publishes samples: switch it off first")
        self._spinning.pop(name, None)
        self._names = {subject: other for subject, other in self._names.items() if other != name}
        return self._devices.pop(name, None) is not None

    def _blocks(self, message: StreamMessage, intake: Intake, *, warm_up: bool) -> list[Block]:
        try:
            name = self._names.get(message.subject) or parse_device_name(message.subject.split(".")[_DEVICE_LEVEL])
            content = decode_message(message.payload)
        except (IndexError, InputError, ProtocolError) as error:
            self._ignore(message, str(error))
            return []
        device = self._devices.get(name)
        if device is None:
            if name not in self._boots and not self._limit.accepts(name, self._known()):
                self._ignore(message, "too many devices")
                return []
            device = self._devices[name] = PublishingDevice(name)
            self._names[message.subject] = name
        offset_ns = round(HOST_CLOCK.offset_s() * NS_PER_S)
        arrived_ns = min(message.stored_ns - offset_ns, message.read_ns)
        blocks = device.receive(content, message.read_ns, intake, arrived_ns=arrived_ns)
        return [  # not with dataclasses.replace, which takes three times as long
            Block(
                block.device,
                block.samples,
                block.taken_ns,
                block.unix_offset_s,
                message.read_ns,
                self._zero_ms(name, block, message),
                block.boot,
                block.rate_problem,
                warm_up,
                message.position,
            )
            for block in blocks
        ]

    def _zero_ms(self, name: DeviceName, block: Block, message: StreamMessage) -> int:
        """Return when the device's clock was 0: from the stream alone, so that every daemon finds the same."""
        stored_ms = message.stored_ns // NS_PER_MS
        estimated_ms = stored_ms - int(block.samples["timestamp_ms"][-1])
        boot, number = self._boots.get(name), self._boot_numbers.get(name)
        self._boot_numbers[name] = block.boot
        if boot is None:
            boot = Boot(message.position, estimated_ms, stored_ms)
        elif message.position > self._taken.position:
            # A device that was not heard of since the partition was taken has rebooted if its clock began after it was
            # last heard of. Messages that arrive late make the estimate later, but not as late as that.
            if block.boot != number if number is not None else estimated_ms > boot.seen_ms:
                self._earlier_boots[name] = boot
                boot = Boot(message.position, estimated_ms, stored_ms)
            else:
                boot = Boot(boot.position, boot.zero_ms, stored_ms)
        self._boots[name] = boot
        return boot.zero_ms

    def _ignore(self, message: StreamMessage, reason: str) -> None:
        self.ignored += 1
        self._failure.log(reason, subject=message.subject[:100])


class _Timeline:
    """The positions of a stream at about every second of the last :data:`LONGEST_WARM_UP_S` seconds."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._entries: deque[tuple[int, int]] = deque()  # Unix time in ns and position, both ascending

    def add(self, stored_ns: int, position: int) -> None:
        if self._entries and stored_ns - self._entries[-1][0] < NS_PER_S:  # or back, as clocks of servers differ
            return
        self._entries.append((stored_ns, position))
        oldest_ns = stored_ns - int((LONGEST_WARM_UP_S + WARM_UP_S) * NS_PER_S)
        while self._entries[0][0] < oldest_ns:
            self._first = self._entries.popleft()[1]

    def before(self, positions: list[int], newest: int) -> int:
        """Return the position :data:`WARM_UP_S` before the first of ``positions``.

        It lies at most :data:`LONGEST_WARM_UP_S` before the position ``newest``.
        """
        if not self._entries:
            return self._first
        by_position = [position for _, position in self._entries]
        newest_ns = self._entries[max(0, bisect_right(by_position, newest) - 1)][0]
        from_ns = self._entries[max(0, bisect_right(by_position, min(positions)) - 1)][0] - int(WARM_UP_S * NS_PER_S)
        from_ns = max(from_ns, newest_ns - int(LONGEST_WARM_UP_S * NS_PER_S))
        index = bisect_right([stored_ns for stored_ns, _ in self._entries], from_ns)
        return self._first if index == 0 else self._entries[index - 1][1]

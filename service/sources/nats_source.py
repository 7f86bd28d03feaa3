"""A source of the samples of a JetStream stream, whose partitions are shared with the other daemons of a group."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol

from nats.aio.client import Client

from models.threshold import Threshold
from service.base.backoff import Backoff
from service.base.hold_up import HoldUpDetector
from service.base.logs import RepeatedFailure, get_logger
from service.base.sink import Sink
from service.base.source import Intake
from service.base.states import GroupFigures, Saved
from service.config.source_url import NatsUrl
from service.sources.device_limit import DeviceLimit
from service.sources.mqtt_source import SILENCE_S
from service.sources.nats_checkpoint import Checkpoint
from service.sources.nats_connection import NatsProblemError, connected
from service.sources.nats_group import GroupMember
from service.sources.nats_leases import GroupTimes, Member
from service.sources.nats_partition import Partition
from service.sources.nats_progress import ProgressSink
from service.sources.nats_reader import StreamMessage
from service.sources.nats_store import GroupStore
from stinger.device_name import DeviceName
from stinger.errors import first_error
from stinger.units import NS_PER_S

DRAIN_S: Final = 0.1
"""Longest wait for the messages of a partition to be scored before it is given up."""
UNFIT_AFTER_S: Final = 2.0
"""A daemon that could not save samples or events for this long leaves its partitions to others that can."""
_CHECKS_PER_SILENCE: Final = 4
_MESSAGES_A_TURN: Final = 4
"""One partition at a time takes so many messages in a turn of the loop: a backlog, as after a takeover, must not hold
up the renewal of leases, of which each needs several turns."""
_LOG: Final = get_logger(__name__)


class PublishingRights(Protocol):
    """Learns for which devices this daemon may publish; see :class:`service.daemon.fence.Fence`."""

    is_valid: Callable[[int, float], bool]

    def learn(self, device: DeviceName, partition: int) -> None:
        """Note in which partition the samples of ``device`` arrived."""

    def commit(self, partition: int, captured_ns: int) -> None:
        """Note that the stored position of ``partition`` may pass the events put into the outbox before ``captured_ns``."""


class MovingThresholds(Protocol):
    """The thresholds that were set for single devices, which move with their partition."""

    def of(self, partition: int) -> Mapping[DeviceName, Threshold]:
        """Return those of the devices in ``partition``."""

    def adopt(self, partition: int, thresholds: Mapping[DeviceName, Threshold]) -> None:
        """Use ``thresholds`` for the devices in ``partition``, and the common threshold for its others."""


@dataclass(slots=True)
class _Reading:
    partition: Partition
    task: asyncio.Task[None]
    epoch: int


class NatsSource:
    """``nats:``. Reads the partitions that this daemon holds in its group.

    ``release`` is called with each device of a partition that this daemon no longer holds. ``saved`` returns whether
    what was processed is on the disk. ``rights`` learns for which devices this daemon may publish; ``thresholds`` are
    passed on with a partition. Subscribe :attr:`sink` to the pipeline after all others.
    """

    def __init__(
        self,
        url: NatsUrl,
        *,
        release: Callable[[DeviceName], None],
        saved: Callable[[], Saved],
        rights: PublishingRights,
        thresholds: MovingThresholds,
        limit: DeviceLimit | None = None,
        times: GroupTimes | None = None,
        silence_s: float = SILENCE_S,
        unfit_after_s: float = UNFIT_AFTER_S,
    ) -> None:
        self._url = url
        self._unfit_after_s = unfit_after_s
        self._release = release
        self._saved = saved
        self._rights = rights
        self._thresholds = thresholds
        self._limit = DeviceLimit() if limit is None else limit
        self._times = GroupTimes() if times is None else times
        self._silence_s = silence_s
        self._name = secrets.token_hex(6)
        self._store: GroupStore | None = None
        self._member: GroupMember | None = None
        self._intake: Intake | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._readings: dict[int, _Reading] = {}
        self._by_device: dict[DeviceName, Partition] = {}
        self._turn = asyncio.Lock()
        self._unsaved_since_s: float | None = None
        self._lost_samples: dict[int, int] = {}  # the recorder's count when each partition was begun
        self._takeovers = self._ignored = 0
        self.sink: Sink = ProgressSink(self._by_device)
        """Notes which messages have been processed."""

    @property
    def url(self) -> str:
        """See :class:`service.base.source.Source`."""
        return str(self._url)

    @property
    def figures(self) -> GroupFigures:
        """What this daemon does in the group now; may be read from any thread."""
        readings = [reading.partition for reading in list(self._readings.values())]
        waiting = [part for part in readings if part.pending or part.unscored_messages]
        oldest_ns = min((part.stored_ns for part in waiting if part.stored_ns), default=None)
        return GroupFigures(
            partitions=self._url.partitions,
            held=len(readings),
            lag_messages=sum(part.pending + part.unscored_messages for part in readings),
            lag_s=0.0 if oldest_ns is None else max(0.0, (time.time_ns() - oldest_ns) / NS_PER_S),
            takeovers=self._takeovers + (0 if self._member is None else self._member.takeovers),
            ignored=self._ignored + sum(part.ignored for part in readings),
        )

    @property
    def fit(self) -> bool:
        """See :class:`service.sources.nats_group.PartitionReaders`."""
        if self._saved().complete:
            self._unsaved_since_s = None
        elif self._unsaved_since_s is None:
            self._unsaved_since_s = time.monotonic()
        return self._unsaved_since_s is None or time.monotonic() - self._unsaved_since_s < self._unfit_after_s

    def forget(self, device: DeviceName) -> bool:
        """Forget ``device``; it is new if it publishes again. Return whether it was known.

        Raises :class:`~stinger.errors.InputError` if it still publishes.
        """
        partition = self._by_device.get(device)
        if partition is None or not partition.forget(device):
            return False
        del self._by_device[device]
        return True

    async def run(self, intake: Intake) -> None:
        """See :class:`service.base.source.Source`."""
        self._intake = intake
        backoff, failure = Backoff(), RepeatedFailure(_LOG, "group_not_joined")
        while True:
            try:
                async with connected(self._url) as client:
                    await self._serve(client, failure)
            except* NatsProblemError as errors:
                failure.log(str(first_error(errors)))
            await asyncio.sleep(backoff.next_s())

    async def _serve(self, client: Client, failure: RepeatedFailure) -> None:
        """Take part in the group through one connection."""
        self._store = await GroupStore.open(client, self._url)
        failure.reset()
        me = Member(time.time_ns(), self._name)
        member = self._member = GroupMember(self._store, self, me, self._url.partitions, self._times)
        self._rights.is_valid = member.is_valid
        _LOG.info("group_joined", group=self._url.group, member=self._name, partitions=self._url.partitions)
        stopped = False
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._check_silence(), name="nats-silence")
                await member.run()
        except asyncio.CancelledError:
            stopped = True
            raise
        finally:
            self._takeovers, self._member = self._takeovers + member.takeovers, None
            # A daemon that stops and that nobody replaces reports the links of its devices as ended.
            for number in [] if stopped else list(self._readings):
                self.end(number, "the connection was lost")

    def begin(self, partition: int, checkpoint: Checkpoint, epoch: int) -> None:
        """See :class:`service.sources.nats_group.PartitionReaders`."""
        assert self._tasks is not None
        assert self._store is not None
        content = Partition(
            checkpoint, limit=self._limit, known=lambda: len(self._by_device), silence_s=self._silence_s
        )
        self._thresholds.adopt(partition, checkpoint.thresholds)
        self._lost_samples[partition] = self._saved().lost_samples
        task = self._tasks.create_task(self._read(partition, content, self._store), name=f"partition {partition}")
        self._readings[partition] = _Reading(content, task, epoch)

    def checkpoint(self, partition: int) -> tuple[Checkpoint, int]:
        """See :class:`service.sources.nats_group.PartitionReaders`."""
        reached = replace(self._readings[partition].partition.checkpoint(), thresholds=self._thresholds.of(partition))
        return reached, time.monotonic_ns()

    def is_saved(self, partition: int) -> bool:
        """See :class:`service.sources.nats_group.PartitionReaders`."""
        saved = self._saved()
        return saved.complete and saved.lost_samples == self._lost_samples.get(partition)

    def unrecorded(self) -> list[int]:
        """See :class:`service.sources.nats_group.PartitionReaders`."""
        saved = self._saved()
        return [
            number for number in self._readings if saved.complete and self._lost_samples[number] != saved.lost_samples
        ]

    def committing(self, partition: int, captured_ns: int) -> None:
        """See :class:`service.sources.nats_group.PartitionReaders`."""
        self._rights.commit(partition, captured_ns)

    async def drain(self, partition: int) -> None:
        """See :class:`service.sources.nats_group.PartitionReaders`."""
        reading = self._readings.get(partition)
        if reading is None:
            return
        reading.task.cancel()
        await asyncio.wait({reading.task})
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while reading.partition.unscored_messages:  # noqa: ASYNC110 - at most a few turns of the loop
                    await asyncio.sleep(0.005)

    def end(self, partition: int, reason: str) -> None:
        """See :class:`service.sources.nats_group.PartitionReaders`."""
        reading = self._readings.pop(partition, None)
        if reading is None:
            return
        reading.task.cancel()
        self._ignored += reading.partition.ignored
        for device in reading.partition.devices:
            self._by_device.pop(device, None)
            self._release(device)
        _LOG.info("partition_ended", partition=partition, epoch=reading.epoch, reason=reason)

    async def _read(self, number: int, partition: Partition, store: GroupStore) -> None:
        assert self._intake is not None
        intake = self._intake
        async for messages in store.samples(number, partition.start).batches():
            if not messages:
                partition.idle()
            for first in range(0, len(messages), _MESSAGES_A_TURN):
                async with self._turn:
                    for message in messages[first : first + _MESSAGES_A_TURN]:
                        await self._deliver(number, partition, message, intake)
                    if len(messages) > _MESSAGES_A_TURN:
                        await asyncio.sleep(0)

    async def _deliver(self, number: int, partition: Partition, message: StreamMessage, intake: Intake) -> None:
        blocks = partition.receive(message, intake)
        if blocks and blocks[0].device not in self._by_device:
            self._by_device[blocks[0].device] = partition
            self._rights.learn(blocks[0].device, number)
        for block in blocks:
            await intake.put(block)

    async def _check_silence(self) -> None:
        hold_up = HoldUpDetector()
        while True:
            held_up = await hold_up.sleep(self._silence_s / _CHECKS_PER_SILENCE)
            self._limit.check()
            now_ns = time.monotonic_ns()
            for reading in [] if held_up else list(self._readings.values()):
                assert self._intake is not None
                reading.partition.check_silence(self._intake, now_ns)

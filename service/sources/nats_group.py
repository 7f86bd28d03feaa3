"""Takes part in a group: announces this daemon, keeps its leases, and starts and ends the reading of partitions."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from service.base.logs import RepeatedFailure, get_logger
from service.sources.nats_checkpoint import Checkpoint, LeaseRecord
from service.sources.nats_connection import NatsProblemError
from service.sources.nats_lease_keeper import LeaseAction, LeaseKeeper, LeaseWrite
from service.sources.nats_leases import GroupTimes, GroupView, Member
from service.sources.nats_store import ConflictError, GroupStore

LEAVE_S: Final = 1.0
"""How long giving up all partitions may take when the daemon stops."""

_LOG: Final = get_logger(__name__)


class PartitionReaders(Protocol):
    """Reads partitions while this daemon holds them."""

    @property
    def fit(self) -> bool:
        """Whether samples can be recorded and their events stored."""

    def begin(self, partition: int, checkpoint: Checkpoint, epoch: int) -> None:
        """Begin to read a partition after the position of ``checkpoint``."""

    def checkpoint(self, partition: int) -> tuple[Checkpoint, int]:
        """Return how far a partition has been processed, and the ``time.monotonic_ns()`` of that state."""

    def is_saved(self, partition: int) -> bool:
        """Return whether everything that was processed is recorded, and its events are on the disk."""

    def committing(self, partition: int, captured_ns: int) -> None:
        """Note that the checkpoint captured at ``captured_ns`` is about to be written: the group may see it from now on."""

    async def drain(self, partition: int) -> None:
        """Read no more of a partition, and wait a moment until what was read is processed."""

    def end(self, partition: int, reason: str) -> None:
        """Stop reading a partition. Its next reader, here or elsewhere, continues after the last checkpoint written."""

    def unrecorded(self) -> list[int]:
        """Return the partitions with samples that could not be recorded, once recording works again."""


class GroupMember:
    """Holds this daemon's share of the partitions, and has ``readers`` read them.

    A partition is read while its lease is valid. Its position is part of the lease and is written with every renewal.
    """

    def __init__(
        self, store: GroupStore, readers: PartitionReaders, member: Member, partitions: int, times: GroupTimes
    ) -> None:
        self._store = store
        self._readers = readers
        self._times = times
        self._view = GroupView(member, partitions, times=times)
        self._keeper = LeaseKeeper(self._view, times=times)
        self._checkpoints: dict[int, Checkpoint] = {}  # the last one written, of each partition
        self._records: dict[int, tuple[int, LeaseRecord]] = {}  # the newest of each, with its revision
        self._changed = asyncio.Event()
        self._failure = RepeatedFailure(_LOG, "lease_not_written")
        self._draining: set[int] = set()
        self.takeovers = 0
        """Number of partitions taken over that another daemon had partly processed."""

    @property
    def partitions(self) -> frozenset[int]:
        """Partitions that are held."""
        return self._keeper.partitions

    def is_valid(self, partition: int, now_s: float) -> bool:
        """Return whether this daemon may publish events of a partition at ``now_s``, ``time.monotonic()``."""
        return self._keeper.is_valid(partition, now_s)

    async def run(self) -> None:
        """Take part until cancelled; then give up all partitions if there is another daemon to take them.

        Raises :class:`NatsProblemError` if the connection is closed for good.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch_members(), name="group members")
                tasks.create_task(self._watch_leases(), name="group leases")
                tasks.create_task(self._announce(), name="group announcements")
                tasks.create_task(self._keep_leases(tasks), name="leases")
        except asyncio.CancelledError:
            with suppress(TimeoutError, NatsProblemError):
                async with asyncio.timeout(LEAVE_S):
                    await self._leave()
            raise

    async def _watch_members(self) -> None:
        async for found in self._store.members():
            for name, member in found:
                if member is None:
                    self._view.remove_member(name)
                elif name != self._view.me.name:
                    self._view.observe_member(member, time.monotonic())
            self._changed.set()

    async def _watch_leases(self) -> None:
        async for found in self._store.leases(self._view.revision):
            for partition, revision, record in found:
                self._observe(partition, revision, record)
            # The first batch may not hold all leases that exist; taking one with the wrong revision is refused.
            self._view.complete()
            if found:
                self._changed.set()

    def _observe(self, partition: int, revision: int, record: LeaseRecord) -> None:
        if revision > self._records.get(partition, (0, record))[0]:
            self._records[partition] = revision, record
        self._view.observe_lease(partition, record.owner, record.epoch, revision, time.monotonic())

    async def _announce(self) -> None:
        while True:
            me = replace(self._view.me, fit=self._readers.fit)
            if me.fit != self._view.me.fit:
                _LOG.warning("member_fitness_changed", member=me.name, fit=me.fit)
            self._view.me = me
            for partition in self._readers.unrecorded():
                self._readers.end(partition, "samples were not recorded: they are read again")
                if self._keeper.is_valid(partition, time.monotonic()):
                    self._readers.begin(partition, self._checkpoints[partition], self._keeper.epoch(partition))
            with suppress(NatsProblemError):
                await self._store.announce(me)
            await asyncio.sleep(self._times.renew_s)

    async def _keep_leases(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            now_s = time.monotonic()
            for partition in self._keeper.take_lost(now_s):
                self._readers.end(partition, "the lease was lost")
            for write in self._keeper.writes(now_s):
                tasks.create_task(self._write(write), name=f"lease {write.partition}")
            surplus = self._keeper.surplus(now_s)
            if surplus is not None and not self._draining:
                tasks.create_task(self._give_up(surplus), name=f"giving up {surplus}")
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._keeper.next_s(now_s) - time.monotonic())):
                    await self._changed.wait()

    async def _write(self, write: LeaseWrite) -> None:
        """Carry out a write, and what follows from its success."""
        partition, taking = write.partition, write.action is LeaseAction.TAKE
        try:
            if taking:
                checkpoint = self._stored_checkpoint(write)
            else:
                checkpoint = await self._new_checkpoint(write)
            owner = "" if write.action is LeaseAction.FREE else self._view.me.name
            record = LeaseRecord(owner, write.epoch, checkpoint)
            put = self._store.take_lease if taking else self._store.write_lease
            revision = await put(partition, record, write.expected)
        except (NatsProblemError, ConflictError) as error:
            if isinstance(error, NatsProblemError):
                self._failure.log(str(error))
            self._keeper.failed(write, time.monotonic())
            return
        except asyncio.CancelledError:
            self._keeper.failed(write, time.monotonic())
            raise
        self._failure.reset()
        now_s = time.monotonic()
        self._records[partition] = revision, record
        self._keeper.succeeded(write, revision, now_s)
        if taking and self._keeper.is_valid(partition, now_s):
            self._begin(partition, checkpoint, write.epoch)
        elif not taking:
            self._checkpoints[partition] = checkpoint
        if write.action is not LeaseAction.RENEW:
            self._changed.set()

    def _begin(self, partition: int, checkpoint: Checkpoint, epoch: int) -> None:
        self.takeovers += checkpoint.position > 0
        self._checkpoints[partition] = checkpoint
        self._readers.begin(partition, checkpoint, epoch)
        _LOG.info("partition_taken", partition=partition, epoch=epoch, position=checkpoint.position)

    def _stored_checkpoint(self, write: LeaseWrite) -> Checkpoint:
        """Return the checkpoint in the lease that ``write`` replaces.

        Raises :class:`ConflictError` if it is an older one.
        """
        if write.expected == 0:
            return Checkpoint()
        revision, record = self._records[write.partition]
        if revision != write.expected:
            raise ConflictError
        return record.checkpoint

    async def _new_checkpoint(self, write: LeaseWrite) -> Checkpoint:
        """Return the checkpoint to write: the last one if what was processed since is not saved."""
        partition = write.partition
        # After a lapse this daemon publishes no events, and the next holder must detect them: write no position past
        # them.
        if write.action is LeaseAction.RENEW and not self._keeper.is_valid(partition, time.monotonic()):
            raise NatsProblemError(f"lease of partition {partition}: has lapsed")
        checkpoint, captured_ns = self._readers.checkpoint(partition)
        self._readers.committing(partition, captured_ns)
        await asyncio.sleep(0)  # the outbox writes at the end of a turn of the loop
        if self._readers.is_saved(partition):
            return checkpoint
        return replace(self._checkpoints[partition], thresholds=checkpoint.thresholds)

    async def _give_up(self, partition: int) -> None:
        """Free a partition for another member."""
        self._draining.add(partition)
        try:
            await self._readers.drain(partition)
            write = None
            while write is None and self._keeper.is_valid(partition, time.monotonic()):
                write = self._keeper.free(partition, time.monotonic())
                if write is None:
                    await asyncio.sleep(0.01)  # its renewal is in flight
            if write is not None:
                await self._write(write)
                self._readers.end(partition, "it is another daemon's share")
        finally:
            self._draining.discard(partition)

    async def _leave(self) -> None:
        """Free all partitions, if another member can take them, and withdraw from the group."""
        if self._view.others(time.monotonic()):
            await asyncio.gather(*(self._give_up(partition) for partition in self._keeper.partitions))
        await self._store.withdraw(self._view.me)

"""Keeps the leases of one member of a group: which writes to begin now, and what follows from their results. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from service.sources.nats_leases import GroupTimes, GroupView, HeldLeases

RETRY_S: Final = 0.05
"""Time before a write that failed is tried again; it doubles with every failure."""
LONGEST_RETRY_S: Final = 1.0
"""Servers that elect a leader refuse every write at once; frequent attempts would delay the election."""
_SPREAD: Final = 8


class LeaseAction(Enum):
    """What a write does to a lease."""

    TAKE = "take"
    RENEW = "renew"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class LeaseWrite:
    """A write of one lease, which succeeds only if ``expected`` is still its newest revision."""

    partition: int
    action: LeaseAction
    epoch: int
    expected: int
    sent_s: float
    """When the write began: a lease that it makes is valid from then on."""


class LeaseKeeper:
    """Takes, renews and frees leases by what ``view`` has observed; at most one write of each lease is in flight.

    Begin every write of :meth:`writes` and report its result with :meth:`succeeded` or :meth:`failed`. Times are in
    seconds of any monotonic clock.
    """

    def __init__(self, view: GroupView, *, times: GroupTimes | None = None) -> None:
        self._view = view
        self._times = GroupTimes() if times is None else times
        self._held = HeldLeases(lease_s=self._times.lease_s)
        self._in_flight: set[int] = set()
        self._taking: set[int] = set()  # those in flight that are not held yet
        self._due_s: dict[int, float] = {}
        self._failures: dict[int, int] = {}  # since the last write that succeeded
        self._lost: list[int] = []

    @property
    def partitions(self) -> frozenset[int]:
        """Partitions that are held, or whose lapse :meth:`take_lost` has not returned yet."""
        return self._held.partitions

    def is_valid(self, partition: int, now_s: float) -> bool:
        """Return whether this member may publish events of ``partition`` at ``now_s``."""
        return self._held.is_valid(partition, now_s)

    def epoch(self, partition: int) -> int:
        """Return the epoch of a lease that is held."""
        return self._held.epoch(partition)

    def writes(self, now_s: float) -> list[LeaseWrite]:
        """Return the writes to begin now, which are in flight from then on."""
        begun = []
        for partition in self._held.partitions - self._in_flight:
            self._adopt(partition)
            if now_s >= self._due_s.get(partition, 0.0) and self._held.is_valid(partition, now_s):
                epoch, revision = self._held.epoch(partition), self._held.revision(partition)
                begun.append(LeaseWrite(partition, LeaseAction.RENEW, epoch, revision, now_s))
        # A partition that is being taken counts as held, so that no more are taken than this member should have.
        for partition, revision in self._view.plan(self._held.partitions | self._taking, now_s).take.items():
            if partition not in self._in_flight and now_s >= self._due_s.get(partition, 0.0):
                epoch = self._view.holder(partition)[1] + 1
                begun.append(LeaseWrite(partition, LeaseAction.TAKE, epoch, revision, now_s))
        self._in_flight.update(write.partition for write in begun)
        self._taking.update(write.partition for write in begun if write.action is LeaseAction.TAKE)
        return begun

    def surplus(self, now_s: float) -> int | None:
        """Return a partition that is another's share; ``None`` if there is none."""
        return self._view.plan(self._held.partitions, now_s).give_up

    def free(self, partition: int, now_s: float) -> LeaseWrite | None:
        """Give up ``partition``, which is no longer held, and return the write that frees its lease.

        ``None`` if it cannot be freed now: it was lost, or its renewal is in flight.
        """
        if partition in self._in_flight or not self._held.is_valid(partition, now_s):
            return None
        self._adopt(partition)
        write = LeaseWrite(
            partition, LeaseAction.FREE, self._held.epoch(partition), self._held.revision(partition), now_s
        )
        self._held.drop(partition)
        self._in_flight.add(partition)
        return write

    def succeeded(self, write: LeaseWrite, revision: int, now_s: float) -> None:
        """Note that ``write`` was stored as ``revision``."""
        partition = write.partition
        self._in_flight.discard(partition)
        self._taking.discard(partition)
        self._failures.pop(partition, None)
        owner = "" if write.action is LeaseAction.FREE else self._view.me.name
        self._view.observe_lease(partition, owner, write.epoch, revision, now_s)
        self._due_s[partition] = write.sent_s + self._times.renew_s
        if write.action is LeaseAction.TAKE:
            self._held.take(partition, write.epoch, revision, write.sent_s)
        elif write.action is LeaseAction.RENEW:
            self._held.renew(partition, revision, write.sent_s, now_s)

    def failed(self, write: LeaseWrite, now_s: float) -> None:
        """Note that ``write`` was refused, as its revision is not the newest, or that its result is unknown."""
        partition = write.partition
        self._in_flight.discard(partition)
        self._taking.discard(partition)
        failures = self._failures[partition] = self._failures.get(partition, 0) + 1
        wait_s = min(LONGEST_RETRY_S, RETRY_S * 2.0 ** min(failures - 1, 10))
        self._due_s[partition] = now_s + wait_s * (1 + partition % _SPREAD / _SPREAD)

    def take_lost(self, now_s: float) -> list[int]:
        """Return the partitions lost since the last call: another member took them, or their leases have lapsed."""
        me = self._view.me.name
        for partition in self._held.partitions:
            owner, epoch = self._view.holder(partition)
            newer = self._view.revision(partition) > self._held.revision(partition)
            if newer and (owner, epoch) != (me, self._held.epoch(partition)):
                self._drop(partition)
        for partition in self._held.lapsed(now_s):
            self._drop(partition)
        lost, self._lost = self._lost, []
        return lost

    def next_s(self, now_s: float) -> float:
        """Return when :meth:`writes` and :meth:`take_lost` should be called next, if nothing is observed before."""
        return now_s + min(self._times.renew_s, RETRY_S)

    def _adopt(self, partition: int) -> None:
        """Use the newest revision of a lease if this member wrote it, in a write whose result it never learned."""
        mine = (self._view.me.name, self._held.epoch(partition))
        if self._view.holder(partition) == mine:
            self._held.adopt(partition, self._view.revision(partition))

    def _drop(self, partition: int) -> None:
        self._held.drop(partition)
        self._lost.append(partition)

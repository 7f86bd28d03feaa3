"""Which daemon of a group should read which partition, decided from the members and leases that it has observed.

Performs no I/O and reads no clock. Each partition has one lease in a store that changes a lease only if its newest
revision is given, so of two daemons that want it one fails. A lease is valid for :data:`LEASE_S` from when its holder
began to write it. An observer counts :data:`EXPIRY_S` from when it saw the newest revision, which is later. So the
clocks of two machines need not agree: they need only run at about the same rate.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

LEASE_S: Final = 1.0
"""How long a holder may publish after it began to write a lease."""
EXPIRY_S: Final = 1.1
"""How long after its newest revision was seen another member may take a lease; longer than a lease, as clock rates
differ."""
MEMBER_S: Final = 0.9
"""Time without an announcement after which a member counts as gone; shorter than a lease, so that none of its
partitions is assigned to it again."""
SETTLE_S: Final = 0.5
"""How long the set of members must be unchanged before a member gives up a partition above its share."""
_FNV_OFFSET: Final = 0x811C9DC5
_FNV_PRIME: Final = 0x01000193


@dataclass(frozen=True, slots=True)
class GroupTimes:
    """Periods in seconds; the defaults suit a local network."""

    lease_s: float = LEASE_S
    expiry_s: float = EXPIRY_S
    member_s: float = MEMBER_S
    settle_s: float = SETTLE_S
    renew_s: float = 0.3
    """How often members announce themselves and renew their leases."""


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """A daemon of the group. Members are ordered by when they joined."""

    joined_ns: int
    """Unix time; only its order counts."""
    name: str
    fit: bool = field(default=True, compare=False)
    """False while it cannot record: it takes no partition as long as there is another that can."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a member should do now."""

    take: Mapping[int, int]
    """Partitions to take, each with the revision of its lease that must still be the newest; 0 for one never
    written."""
    give_up: int | None
    """A partition above the member's share, to free for another; ``None`` for none."""


def partition_of(device: str, partitions: int) -> int:
    """Return the partition that NATS servers assign a name to with ``partition(partitions,1)``: FNV-1a, 32 bits.

    >>> partition_of("b1", 16)
    12
    """
    value = _FNV_OFFSET
    for byte in device.encode():
        value = (value ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return value % partitions


@dataclass(slots=True)
class _SeenLease:
    owner: str
    epoch: int
    revision: int
    seen_s: float


@dataclass(slots=True)
class _SeenMember:
    member: Member
    seen_s: float


class GroupView:
    """What one member, ``me``, has observed of its group, and what follows from it.

    With n fit members, the i-th in the order of joining (from 0) should have (partitions - i) / n partitions, rounded
    up. A free partition is assigned to one member, so members that observed the same do not compete. Times are in
    seconds of any monotonic clock.
    """

    def __init__(self, me: Member, partitions: int, *, times: GroupTimes | None = None) -> None:
        self.me = me
        self._partitions = partitions
        self._times = GroupTimes() if times is None else times
        self._complete = False
        self._members: dict[str, _SeenMember] = {}
        self._leases: dict[int, _SeenLease] = {}
        self._alive: tuple[Member, ...] = ()
        self._changed_s = float("-inf")

    def complete(self) -> None:
        """Note that every lease that exists was observed: one that was not seen by now was never written."""
        self._complete = True

    def observe_member(self, member: Member, now_s: float) -> None:
        """Note that ``member`` has announced itself."""
        self._members[member.name] = _SeenMember(member, now_s)

    def remove_member(self, name: str) -> None:
        """Note that a member has left."""
        self._members.pop(name, None)

    def observe_lease(self, partition: int, owner: str, epoch: int, revision: int, now_s: float) -> None:
        """Note a lease as written with ``revision``; an empty ``owner`` means that it is free.

        Ignore an older revision.
        """
        seen = self._leases.get(partition)
        if 0 <= partition < self._partitions and (seen is None or revision > seen.revision):
            self._leases[partition] = _SeenLease(owner, epoch, revision, now_s)

    def revision(self, partition: int) -> int:
        """Return the newest revision of a lease that was observed; 0 for none."""
        seen = self._leases.get(partition)
        return 0 if seen is None else seen.revision

    def holder(self, partition: int) -> tuple[str, int]:
        """Return the owner and the epoch of the newest revision of a lease; an empty owner and 0 for none."""
        seen = self._leases.get(partition)
        return ("", 0) if seen is None else (seen.owner, seen.epoch)

    def others(self, now_s: float) -> tuple[Member, ...]:
        """Return the other members that are present and fit."""
        return tuple(member for member in self._fit(now_s) if member.name != self.me.name)

    def share(self, now_s: float) -> int:
        """Return how many partitions this member should have."""
        fit = self._fit(now_s)
        return _shares(fit, self._partitions).get(self.me.name, 0)

    def plan(self, held: Collection[int], now_s: float) -> Plan:
        """Return what to take and what to give up, for a member that has the partitions ``held``."""
        fit = self._fit(now_s)
        if fit != self._alive:
            self._alive, self._changed_s = fit, now_s
        if not self._complete:
            return Plan({}, None)
        shares = _shares(fit, self._partitions)
        surplus = len(held) - shares.get(self.me.name, 0)
        settled = now_s - self._changed_s >= self._times.settle_s
        give_up = max(held) if surplus > 0 and settled else None
        return Plan({partition: self.revision(partition) for partition in self._mine(shares, held, now_s)}, give_up)

    def _fit(self, now_s: float) -> tuple[Member, ...]:
        """Return the fit members that are present, in order; all that are present if none is fit."""
        present = [
            seen.member
            for name, seen in self._members.items()
            if name != self.me.name and now_s - seen.seen_s < self._times.member_s
        ]
        present.append(self.me)
        fit = [member for member in present if member.fit] or present
        return tuple(sorted(fit))

    def _mine(self, shares: Mapping[str, int], held: Collection[int], now_s: float) -> list[int]:
        """Return the free partitions that are assigned to this member."""
        free = [number for number in range(self._partitions) if number not in held and self._is_free(number, now_s)]
        if not free:
            return []
        owned = dict.fromkeys(shares, 0)
        for partition, lease in self._leases.items():
            if lease.owner in owned and partition not in free and lease.owner != self.me.name:
                owned[lease.owner] += 1
        owned[self.me.name] = len(held)
        first = 0
        for name, share in shares.items():
            missing = max(0, share - owned[name])
            if name == self.me.name:
                return free[first : first + missing]
            first += missing
        return []

    def _is_free(self, partition: int, now_s: float) -> bool:
        lease = self._leases.get(partition)
        # A lease under this member's name that it does not hold is one that it has lost.
        return lease is None or lease.owner in {"", self.me.name} or now_s - lease.seen_s >= self._times.expiry_s


@dataclass(slots=True)
class _Held:
    epoch: int
    revision: int
    valid_until_s: float


class HeldLeases:
    """The leases that one member holds, and until when. Times are in seconds of any monotonic clock."""

    def __init__(self, *, lease_s: float = LEASE_S) -> None:
        self._lease_s = lease_s
        self._held: dict[int, _Held] = {}

    @property
    def partitions(self) -> frozenset[int]:
        """Partitions that were taken and not dropped; the leases of some may have lapsed."""
        return frozenset(self._held)

    def take(self, partition: int, epoch: int, revision: int, sent_s: float) -> None:
        """Note that a lease was taken by a write that began at ``sent_s``."""
        self._held[partition] = _Held(epoch, revision, sent_s + self._lease_s)

    def renew(self, partition: int, revision: int, sent_s: float, now_s: float) -> None:
        """Note at ``now_s`` that a lease was renewed by a write that began at ``sent_s``.

        Without effect on one that was dropped, and on one that has lapsed: messages may have been refused since.
        """
        held = self._held.get(partition)
        if held is not None and revision > held.revision and now_s < held.valid_until_s:
            held.revision = revision
            held.valid_until_s = max(held.valid_until_s, sent_s + self._lease_s)

    def adopt(self, partition: int, revision: int) -> None:
        """Note a revision that this member wrote without learning whether the write succeeded."""
        held = self._held[partition]
        held.revision = max(held.revision, revision)

    def drop(self, partition: int) -> None:
        """Remove a lease from those that are held."""
        self._held.pop(partition, None)

    def revision(self, partition: int) -> int:
        """Return the revision that the next write of a lease that is held must name."""
        return self._held[partition].revision

    def epoch(self, partition: int) -> int:
        """Return the epoch of a lease that is held: the number of times that it has been taken."""
        return self._held[partition].epoch

    def is_valid(self, partition: int, now_s: float) -> bool:
        """Return whether this member holds a partition at ``now_s``."""
        held = self._held.get(partition)
        return held is not None and now_s < held.valid_until_s

    def lapsed(self, now_s: float) -> list[int]:
        """Return the partitions whose leases have run out."""
        return [partition for partition, held in self._held.items() if now_s >= held.valid_until_s]


def _shares(members: Collection[Member], partitions: int) -> dict[str, int]:
    count = len(members)
    return {member.name: (partitions - rank + count - 1) // count for rank, member in enumerate(members)}

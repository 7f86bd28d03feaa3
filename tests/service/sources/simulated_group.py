"""A group of daemons that share partitions, in simulated time: a store of leases, delays, lost answers, kills and pauses."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from service.sources.nats_lease_keeper import LeaseAction, LeaseKeeper, LeaseWrite
from service.sources.nats_leases import GroupTimes, GroupView, Member

STEP_S = 0.02
LONGEST_DELAY_S = 0.06
"""Of a message in one direction."""


@dataclass
class _Stored:
    owner: str = ""
    epoch: int = 0
    revision: int = 0


@dataclass
class SimulatedMember:
    """One daemon: it acts in every step unless it is paused."""

    member: Member
    view: GroupView
    keeper: LeaseKeeper
    paused_until_s: float = 0.0
    announced_s: float = float("-inf")
    draining: tuple[int, float] | None = None
    takes: list[tuple[float, int]] = field(default_factory=list)
    gives: int = 0


class SimulatedGroup:
    """Runs members against one store. Every message takes a random time; an answer may be lost, not what it answers."""

    def __init__(self, seed: int, partitions: int, *, lost_answers: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.partitions = partitions
        self.now_s = 0.0
        self.members: list[SimulatedMember] = []
        self.double_owners = 0
        self.takeovers: list[tuple[int, float]] = []
        """Partition and time of every lease taken."""
        self._times = GroupTimes()
        self.lost_answers = lost_answers
        self._store = {number: _Stored() for number in range(partitions)}
        self._revision = 0
        self._due: list[tuple[float, int, object]] = []
        self._count = 0

    def join(self) -> SimulatedMember:
        self._count += 1
        member = Member(self._count, f"m{self._count}")
        view = GroupView(member, self.partitions, times=self._times)
        joined = SimulatedMember(member, view, LeaseKeeper(view, times=self._times))
        for number, stored in self._store.items():
            view.observe_lease(number, stored.owner, stored.epoch, stored.revision, self.now_s)
        view.complete()
        self.members.append(joined)
        return joined

    def kill(self, member: SimulatedMember) -> None:
        self.members.remove(member)

    def pause(self, member: SimulatedMember, seconds: float) -> None:
        member.paused_until_s = self.now_s + seconds

    def run(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.step()

    def step(self) -> None:
        self.now_s += STEP_S
        due = sorted((entry for entry in self._due if entry[0] <= self.now_s), key=lambda entry: entry[:2])
        self._due = [entry for entry in self._due if entry[0] > self.now_s]
        for _, _, deliver in due:
            deliver()  # type: ignore[operator]  # a closure of this class
        for member in list(self.members):
            if member.paused_until_s <= self.now_s:
                self._act(member)
        self._check()

    def counts(self) -> list[int]:
        """How many partitions each member holds now."""
        return [len([p for p in m.keeper.partitions if m.keeper.is_valid(p, self.now_s)]) for m in self.members]

    def _act(self, member: SimulatedMember) -> None:
        if self.now_s - member.announced_s >= self._times.renew_s:
            member.announced_s = self.now_s
            for other in self.members:
                if other is not member:
                    self._to(other, lambda other=other, who=member.member: other.view.observe_member(who, self.now_s))
        member.keeper.take_lost(self.now_s)
        for write in member.keeper.writes(self.now_s):
            self._send(member, write)
        if member.draining is None:
            surplus = member.keeper.surplus(self.now_s)
            if surplus is not None:
                member.draining = (surplus, self.now_s + self.random.uniform(0, 0.1))
        elif self.now_s >= member.draining[1]:
            freed = member.keeper.free(member.draining[0], self.now_s)
            if freed is not None:
                member.gives += 1
                self._send(member, freed)
            if freed is not None or member.draining[0] not in member.keeper.partitions:
                member.draining = None

    def _send(self, member: SimulatedMember, write: LeaseWrite) -> None:
        def arrive() -> None:
            stored = self._store[write.partition]
            accepted = stored.revision == write.expected
            revision = 0
            if accepted:
                self._revision += 1
                revision = stored.revision = self._revision
                stored.owner = "" if write.action is LeaseAction.FREE else member.member.name
                stored.epoch = write.epoch
                if write.action is LeaseAction.TAKE:
                    self.takeovers.append((write.partition, self.now_s))
                seen = (write.partition, stored.owner, stored.epoch, revision)
                for other in self.members:
                    self._to(other, lambda other=other: other.view.observe_lease(*seen, self.now_s))
            lost = self.random.random() < self.lost_answers

            def answer() -> None:
                if accepted and not lost:
                    member.keeper.succeeded(write, revision, self.now_s)
                else:
                    member.keeper.failed(write, self.now_s)

            self._to(member, answer, extra_s=0.5 if lost else 0.0)

        self._at(self.now_s + self._delay(), arrive)

    def _to(self, member: SimulatedMember, deliver: object, *, extra_s: float = 0.0) -> None:
        """Deliver after a delay; a paused process finds it when it continues."""

        def arrive() -> None:
            if member.paused_until_s > self.now_s:
                self._at(member.paused_until_s, arrive)
            elif member in self.members:
                deliver()  # type: ignore[operator]  # a closure of this class

        self._at(self.now_s + self._delay() + extra_s, arrive)

    def _at(self, when_s: float, deliver: object) -> None:
        self._number = getattr(self, "_number", 0) + 1
        self._due.append((when_s, self._number, deliver))

    def _delay(self) -> float:
        return self.random.uniform(0.001, LONGEST_DELAY_S)

    def _check(self) -> None:
        for number in range(self.partitions):
            owners = [m.member.name for m in self.members if m.keeper.is_valid(number, self.now_s)]
            self.double_owners += len(owners) > 1

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.sources.nats_leases import EXPIRY_S, LEASE_S, MEMBER_S, SETTLE_S, GroupView, HeldLeases, Member
from tests.service.sources.simulated_group import SimulatedGroup

ME, OTHER, THIRD = Member(1, "me"), Member(2, "other"), Member(3, "third")


def view_of(partitions: int = 8, *, me: Member = ME) -> GroupView:
    view = GroupView(me, partitions)
    view.complete()
    return view


def test_nothing_is_taken_before_all_leases_were_seen() -> None:
    view = GroupView(ME, 4)
    assert view.plan((), 0.0).take == {}
    view.complete()
    assert view.plan((), 0.0).take == {0: 0, 1: 0, 2: 0, 3: 0}


@pytest.mark.parametrize(("members", "partitions"), [(1, 16), (3, 16), (5, 16), (16, 16), (20, 16), (7, 1)])
def test_shares_differ_by_one_at_most_and_make_up_the_whole(members: int, partitions: int) -> None:
    all_members = [Member(number, f"m{number}") for number in range(members)]
    shares = []
    for me in all_members:
        view = view_of(partitions, me=me)
        for member in all_members:
            view.observe_member(member, 0.0)
        shares.append(view.share(0.1))
    assert sum(shares) == partitions
    assert max(shares) - min(shares) <= 1


@given(st.integers(1, 64), st.integers(1, 12))
def test_a_member_that_joins_makes_no_share_larger(partitions: int, members: int) -> None:
    def shares(count: int) -> list[int]:
        view = view_of(partitions, me=Member(0, "m0"))
        for number in range(1, count):
            view.observe_member(Member(number, f"m{number}"), 0.0)
        views = [view_of(partitions, me=Member(number, f"m{number}")) for number in range(count)]
        for one in views:
            for number in range(count):
                one.observe_member(Member(number, f"m{number}"), 0.0)
        return [one.share(0.1) for one in views]

    before, after = shares(members), shares(members + 1)
    assert all(new <= old for old, new in zip(before, after, strict=False))


def test_members_that_see_the_same_divide_free_partitions_without_overlap() -> None:
    views = [view_of(9, me=me) for me in (ME, OTHER, THIRD)]
    for view in views:
        for member in (ME, OTHER, THIRD):
            view.observe_member(member, 0.0)
    taken = [set(view.plan((), 0.1).take) for view in views]
    assert [len(part) for part in taken] == [3, 3, 3]
    assert set.union(*taken) == set(range(9))


def test_lease_is_free_only_when_its_newest_revision_is_old_enough() -> None:
    view = view_of(1)
    view.observe_lease(0, "gone", 1, 5, 0.0)
    view.observe_lease(0, "gone", 1, 6, 1.0)
    view.observe_lease(0, "gone", 1, 4, 2.0)
    assert view.plan((), 1.0 + EXPIRY_S - 0.01).take == {}
    assert view.plan((), 1.0 + EXPIRY_S).take == {0: 6}


def test_freed_lease_is_taken_at_once() -> None:
    view = view_of(1)
    view.observe_lease(0, "", 3, 7, 0.0)
    assert view.plan((), 0.0).take == {0: 7}


def test_surplus_is_given_up_one_at_a_time_when_the_members_have_settled() -> None:
    view, held = view_of(4), {0, 1, 2, 3}
    assert view.plan(held, 0.0).give_up is None
    view.observe_member(OTHER, 0.1)
    assert view.plan(held, 0.1).give_up is None
    view.observe_member(OTHER, 0.1 + SETTLE_S)
    assert view.plan(held, 0.1 + SETTLE_S).give_up == 3
    assert view.plan({0, 1}, 0.1 + SETTLE_S).give_up is None


def test_member_that_is_not_heard_of_has_no_share() -> None:
    view = view_of(4)
    view.observe_member(OTHER, 0.0)
    assert view.share(MEMBER_S - 0.01) == 2
    assert view.share(MEMBER_S) == 4


def test_member_that_cannot_record_has_no_share_while_another_can() -> None:
    unfit = Member(1, "me", fit=False)
    view = view_of(4, me=unfit)
    assert view.share(0.0) == 4
    view.observe_member(OTHER, 0.0)
    assert view.share(0.1) == 0
    view.observe_member(Member(2, "other", fit=False), 0.2)
    assert view.share(0.3) == 2


def test_own_lease_that_is_not_held_any_longer_is_taken_again() -> None:
    view = view_of(1)
    view.observe_lease(0, "me", 4, 9, 0.0)
    assert view.plan((), 0.0).take == {0: 9}
    assert view.plan({0}, 0.0).take == {}


def test_holder_counts_from_the_beginning_of_its_write_and_lapses_before_others_take() -> None:
    held = HeldLeases()
    held.take(0, 1, 5, sent_s=10.0)
    assert held.is_valid(0, 10.0 + LEASE_S - 0.001)
    assert not held.is_valid(0, 10.0 + LEASE_S)
    assert LEASE_S < EXPIRY_S
    held.renew(0, 6, sent_s=10.5, now_s=10.6)
    assert held.lapsed(11.4) == []
    assert held.lapsed(11.5) == [0]


def test_older_answer_does_not_shorten_a_lease() -> None:
    held = HeldLeases()
    held.take(0, 1, 5, sent_s=10.0)
    held.renew(0, 7, sent_s=10.6, now_s=10.7)
    held.renew(0, 6, sent_s=10.3, now_s=10.8)
    assert held.is_valid(0, 11.5)
    assert held.revision(0) == 7


def test_lapsed_lease_does_not_come_back_when_the_answer_arrives_late() -> None:
    held = HeldLeases()
    held.take(0, 1, 5, sent_s=10.0)
    held.renew(0, 6, sent_s=10.9, now_s=10.0 + LEASE_S)
    assert not held.is_valid(0, 11.1)
    assert held.lapsed(11.1) == [0]


def test_group_of_three_is_even_soon_and_stays_as_it_is() -> None:
    group = SimulatedGroup(1, 16)
    for _ in range(3):
        group.join()
    group.run(3)
    assert sorted(group.counts()) == [5, 5, 6]
    taken = len(group.takeovers)
    group.run(10)
    assert len(group.takeovers) == taken


def test_partitions_of_a_killed_member_are_taken_within_two_seconds_and_no_others_move() -> None:
    group = SimulatedGroup(2, 16)
    members = [group.join() for _ in range(3)]
    group.run(4)
    lost = set(members[1].keeper.partitions)
    group.kill(members[1])
    before_s, count = group.now_s, len(group.takeovers)
    group.run(2)
    assert sorted(group.counts()) == [8, 8]
    moved = group.takeovers[count:]
    assert {partition for partition, _ in moved} == lost
    assert max(when_s for _, when_s in moved) - before_s < 2


def test_member_that_joins_or_leaves_finds_the_group_even_within_five_seconds() -> None:
    group = SimulatedGroup(3, 16)
    first = group.join()
    group.run(2)
    assert group.counts() == [16]
    for _ in range(2):
        group.join()
    group.run(5)
    assert sorted(group.counts()) == [5, 5, 6]
    group.kill(first)
    group.run(5)
    assert sorted(group.counts()) == [8, 8]


@pytest.mark.parametrize("seed", range(8))
def test_random_kills_joins_and_pauses_never_give_a_partition_two_owners(seed: int) -> None:
    run_history(seed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@settings(max_examples=3000, deadline=None)
@given(st.integers(0, 2**32))
def test_thousands_of_random_histories_never_give_a_partition_two_owners(seed: int) -> None:
    run_history(seed)


def run_history(seed: int) -> None:
    group = SimulatedGroup(seed, 6, lost_answers=0.1)
    draw = group.random
    for _ in range(draw.randint(1, 3)):
        group.join()
    for _ in range(draw.randint(3, 8)):
        happening = draw.choice(["kill", "join", "pause", "wait"])
        if happening == "join" and len(group.members) < 5:
            group.join()
        elif happening == "kill" and len(group.members) > 1:
            group.kill(draw.choice(group.members))
        elif happening == "pause":
            group.pause(draw.choice(group.members), draw.uniform(0.1, 6.0))
        group.run(draw.uniform(0.05, 3.0))
    assert group.double_owners == 0, f"seed {seed}"
    group.lost_answers = 0.0
    group.run(12)
    assert sum(group.counts()) == 6, f"seed {seed}: {group.counts()}"
    assert max(group.counts()) - min(group.counts()) <= 1, f"seed {seed}: {group.counts()}"

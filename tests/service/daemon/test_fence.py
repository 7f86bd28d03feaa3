from __future__ import annotations

import pytest

from service.daemon.fence import Fence
from service.mqtt.channels import DeliveryPolicy
from service.mqtt.messages import OutgoingMessage, event_message, link_message
from service.sources.nats_leases import partition_of
from stinger.device_name import DeviceName
from tests.helpers.events import NOW_S, link_report, shot, spin_up

PARTITIONS = 4


def fence_that_holds(*partitions: int) -> Fence:
    fence = Fence(PARTITIONS, exempt=[DeviceName("own")], clock_ns=lambda: 5_000_000_000)
    fence.is_valid = lambda partition, now_s: partition in partitions and now_s == 5.0
    return fence


def test_everything_is_sent_while_the_partition_is_held() -> None:
    fence = fence_that_holds(partition_of("b1", PARTITIONS))
    for message in (event_message(shot()), event_message(spin_up()), link_message(link_report(), NOW_S)):
        assert fence.admit(message, None) is message
    assert fence.refused == 0


def test_states_and_uncommitted_events_of_another_daemon_are_not_sent() -> None:
    fence = fence_that_holds()
    fence.commit(partition_of("b1", PARTITIONS), 100)
    assert fence.admit(link_message(link_report(), NOW_S), 50) is None
    assert fence.admit(event_message(shot()), 101) is None
    assert fence.refused == 2


def test_event_that_may_be_committed_is_sent_without_replacing_a_newer_state() -> None:
    fence, message = fence_that_holds(), event_message(spin_up())
    fence.commit(partition_of("b1", PARTITIONS), 100)
    assert message.retain
    for put_ns in (100, None):
        sent = fence.admit(message, put_ns)
        assert sent is not None
        assert (sent.topic, sent.payload, sent.retain) == (message.topic, message.payload, False)


@pytest.mark.parametrize(
    "topic", ["stinger/daemon/status", "stinger/own/link", "homeassistant/device/x/config", "stinger", "a/b/c"]
)
def test_messages_of_the_daemon_and_of_its_own_devices_are_always_sent(topic: str) -> None:
    message = OutgoingMessage(topic, b"{}", 1, False, DeliveryPolicy.LATEST)
    assert fence_that_holds().admit(message, None) is message


def test_partition_in_which_samples_arrived_counts_more_than_the_calculated_one() -> None:
    fence = fence_that_holds(3)
    fence.learn(DeviceName("b1"), 3)
    message = event_message(shot())
    assert partition_of("b1", PARTITIONS) != 3
    assert fence.admit(message, None) is message

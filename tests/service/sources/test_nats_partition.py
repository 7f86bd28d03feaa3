from __future__ import annotations

import time
from typing import cast

import numpy as np
import pytest

from models.threshold import Threshold
from service.base.source import Block, Intake
from service.sources.device_limit import DeviceLimit
from service.sources.nats_checkpoint import Boot, Checkpoint, LeaseRecord
from service.sources.nats_partition import WARM_UP_S, Partition
from service.sources.nats_reader import StreamMessage
from stinger.device_name import DeviceName
from stinger.errors import InputError, ProtocolError
from stinger.wire.sample_messages import SampleMessage, encode_message
from tests.helpers.samples import samples_at
from tests.service.sources.collecting import Collecting

A, B = DeviceName("a"), DeviceName("b")
BEGAN_NS = 1_800_000_000_000_000_000
S = 1_000_000_000


def partition_with(checkpoint: Checkpoint | None = None, *, max_devices: int = 10) -> Partition:
    limit = DeviceLimit(max_devices)
    partition = Partition(checkpoint or Checkpoint(), limit=limit, known=lambda: len(partition.devices), silence_s=2.0)
    return partition


def message(position: int, *, device: str = "a", first: int = 0, payload: bytes | None = None) -> StreamMessage:
    """Twenty samples of a device, of which the first is its ``first``-th; stored 10 ms a position after the beginning."""
    samples = samples_at((first + np.arange(20)) * 10)
    content = encode_message(SampleMessage(first, samples)) if payload is None else payload
    stored_ns = BEGAN_NS + position * 10_000_000
    return StreamMessage(f"hall.0.stinger.{device}.samples", content, position, stored_ns, 0, time.monotonic_ns())


def read(partition: Partition, *messages: StreamMessage, score: bool = True) -> list[Block]:
    intake = cast(Intake, Collecting())
    blocks = [block for one in messages for block in partition.receive(one, intake)]
    for block in blocks if score else ():
        if not block.warm_up:
            partition.scored(block.position)
    return blocks


def test_position_stays_before_the_first_message_that_is_not_scored() -> None:
    partition = partition_with()
    blocks = read(partition, *(message(5 + n, first=20 * n) for n in range(3)), score=False)
    assert partition.checkpoint().position == 4
    partition.scored(blocks[1].position)
    assert partition.checkpoint().position == 4
    partition.scored(blocks[0].position)
    assert partition.checkpoint().position == 6
    partition.scored(blocks[2].position)
    assert partition.checkpoint().position == 7


def test_message_that_holds_no_samples_is_counted_and_passed() -> None:
    partition = partition_with()
    read(partition, message(5), message(6, payload=b"rubbish"), message(7, device="not a name"))
    assert partition.ignored == 2
    assert partition.checkpoint().position == 7


def test_device_beyond_the_limit_is_ignored_and_a_known_one_is_not() -> None:
    known = Checkpoint(3, 1, {B: Boot(1, 0, BEGAN_NS // 1_000_000)})
    partition = partition_with(known, max_devices=1)
    assert [block.device for block in read(partition, message(5), message(6, device="c"), message(7, device="b"))] == [
        A,
        B,
    ]
    assert partition.ignored == 1


def test_what_was_processed_before_is_a_warm_up() -> None:
    partition = partition_with(Checkpoint(6, 5))
    blocks = read(partition, message(5), message(6, first=20), message(7, first=40))
    assert [block.warm_up for block in blocks] == [True, True, False]
    assert partition.start == 5


def test_boot_has_the_same_zero_whoever_reads_the_stream() -> None:
    stream = [message(5 + n, first=20 * n) for n in range(40)]
    first = partition_with()
    before = read(first, *stream[:30])
    taken = partition_with(LeaseRecord.from_json(LeaseRecord("x", 1, first.checkpoint()).to_json()).checkpoint)
    after = read(taken, *stream[20:])
    assert {block.clock_zero_ms for block in before} == {block.clock_zero_ms for block in after if not block.warm_up}
    assert len({block.clock_zero_ms for block in before}) == 1


def test_reboot_while_nobody_read_is_another_boot() -> None:
    first = partition_with()
    read(first, message(5), message(6, first=20))
    zero_ms = first.checkpoint().boots[A].zero_ms
    taken = partition_with(first.checkpoint())
    (block,) = read(taken, message(5000, first=0))
    assert block.clock_zero_ms - zero_ms > 40_000


def test_message_that_arrives_much_later_belongs_to_the_same_boot() -> None:
    first = partition_with()
    (before,) = read(first, message(5, first=3000))
    taken = partition_with(first.checkpoint())
    (late,) = read(taken, message(2000, first=3020))
    assert late.clock_zero_ms == before.clock_zero_ms


def test_reboot_that_is_not_committed_yet_leaves_the_boot_before_it_in_the_checkpoint() -> None:
    partition = partition_with()
    (before,) = read(partition, message(5, first=10_000))
    (after,) = read(partition, message(6, first=0), score=False)
    assert after.clock_zero_ms != before.clock_zero_ms
    assert partition.checkpoint().boots[A].zero_ms == before.clock_zero_ms
    partition.scored(6)
    assert partition.checkpoint().boots[A].zero_ms == after.clock_zero_ms


def test_next_reader_begins_seconds_before_and_earlier_while_wheels_are_on() -> None:
    partition = partition_with()
    for n in range(3000):
        read(partition, message(1 + n, first=20 * n))
        if n == 500:
            partition.switched(A, on=True)
    begins = partition.checkpoint().warm_up_from
    assert 501 - WARM_UP_S * 100 - 110 <= begins <= max(1, 501 - WARM_UP_S * 100)
    partition.switched(A, on=False)
    begins = partition.checkpoint().warm_up_from
    assert 3000 - WARM_UP_S * 100 - 220 <= begins <= 3000 - WARM_UP_S * 100


def test_device_that_publishes_is_not_forgotten() -> None:
    partition = partition_with()
    read(partition, message(5))
    with pytest.raises(InputError, match="still publishes"):
        partition.forget(A)
    partition.check_silence(cast(Intake, Collecting()), time.monotonic_ns() + 3 * S)
    assert partition.forget(A)
    assert not partition.forget(A)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b'{"owner": 1}',
        b"null",
        b"\xff",
        b'{"owner":"a","epoch":1,"position":1}',
        b'{"owner":"a","epoch":1,"position":1,"warm_up_from":1,"boots":{},"spinning":{},"thresholds":{"a":2}}',
        b'{"owner":"a","epoch":1,"position":1,"warm_up_from":1,"boots":{},"spinning":{},"thresholds":[]}',
    ],
)
def test_rubbish_is_not_taken_for_a_lease(text: bytes) -> None:
    with pytest.raises(ProtocolError):
        LeaseRecord.from_json(text)


def test_lease_reads_as_it_was_written() -> None:
    boots, spinning, thresholds = {A: Boot(3, 5, 7)}, {B: 4}, {A: Threshold(0.7)}
    record = LeaseRecord("one", 2, Checkpoint(9, 5, boots, spinning, thresholds))
    assert LeaseRecord.from_json(record.to_json()) == record


def test_lease_of_an_earlier_version_has_no_thresholds() -> None:
    text = b'{"owner":"a","epoch":1,"position":1,"warm_up_from":1,"boots":{},"spinning":{}}'
    assert LeaseRecord.from_json(text).checkpoint.thresholds == {}

"""The source of a shared stream, against a real nats-server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import nats
import nats.js.errors
import numpy as np
import pytest
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, StreamConfig

from models.threshold import Threshold
from service.base.source import Block
from service.base.states import Saved, Stamps
from service.config.source_url import NatsUrl, parse_source_url
from service.sources.nats_checkpoint import LeaseRecord
from service.sources.nats_leases import partition_of
from service.sources.nats_source import NatsSource
from stinger.device_name import DeviceName
from stinger.errors import InputError
from stinger.wire.sample_messages import SampleMessage, encode_message
from tests.helpers.brokers import until
from tests.helpers.nats_servers import PARTITIONS, NatsServer, nats_server
from tests.helpers.patience import PATIENCE_S
from tests.helpers.samples import samples_at
from tests.service.sources.collecting import Collecting

numbers = iter(range(1000))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    async def make_stream(server: NatsServer) -> None:
        async with client_of(server) as client:
            await client.jetstream().add_stream(StreamConfig(name="SAMPLES", subjects=["hall.*.stinger.*.samples"]))

    with nats_server(tmp_path_factory.mktemp("nats")) as running:
        asyncio.run(make_stream(running))
        yield running


class Rights:
    """Keeps what a source says about the rights to publish."""

    def __init__(self) -> None:
        self.is_valid: Callable[[int, float], bool] = lambda _partition, _now_s: False
        self.learned: dict[str, int] = {}
        self.committed: set[int] = set()

    def learn(self, device: DeviceName, partition: int) -> None:
        self.learned[device] = partition

    def commit(self, partition: int, captured_ns: int) -> None:
        assert captured_ns <= time.monotonic_ns()
        self.committed.add(partition)


class Thresholds:
    """Keeps the thresholds of single devices, by partition."""

    def __init__(self) -> None:
        self.by_partition: dict[int, Mapping[DeviceName, Threshold]] = {}

    def of(self, partition: int) -> Mapping[DeviceName, Threshold]:
        return self.by_partition.get(partition, {})

    def adopt(self, partition: int, thresholds: Mapping[DeviceName, Threshold]) -> None:
        self.by_partition[partition] = thresholds


@dataclass
class Scoring(Collecting):
    """An intake that scores at once."""

    source: NatsSource | None = None

    async def put(self, block: Block) -> None:
        await super().put(block)
        if not block.warm_up and self.source is not None:
            scores = np.zeros(block.samples.shape[0], np.float32)
            self.source.sink.on_scores(block, scores, Stamps(block.read_ns, block.read_ns))


@dataclass
class Member:
    source: NatsSource
    intake: Scoring
    rights: Rights
    thresholds: Thresholds
    released: list[str]
    task: asyncio.Task[None]

    def firsts(self, device: str, *, warm_up: bool = False) -> list[int]:
        """Device time of the first sample of each block of a device."""
        return [
            int(block.samples["timestamp_ms"][0])
            for block in self.intake.blocks
            if block.device == device and block.warm_up == warm_up
        ]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


def url_of(server: NatsServer, group: str, options: str = "") -> NatsUrl:
    url = parse_source_url(
        f"nats://127.0.0.1:{server.port}?stream=SAMPLES&group={group}&partitions={PARTITIONS}{options}"
    )
    assert isinstance(url, NatsUrl)
    return url


@asynccontextmanager
async def member(url: NatsUrl, saved: Callable[[], Saved] = lambda: Saved(True, 0)) -> AsyncIterator[Member]:
    released: list[str] = []
    rights, thresholds, intake = Rights(), Thresholds(), Scoring()
    source = NatsSource(
        url, release=released.append, saved=saved, rights=rights, thresholds=thresholds, unfit_after_s=0.2
    )
    intake.source = source
    task = asyncio.create_task(source.run(intake))
    joined = Member(source, intake, rights, thresholds, released, task)
    try:
        yield joined
    finally:
        await joined.stop()


@asynccontextmanager
async def client_of(server: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(f"nats://127.0.0.1:{server.port}")
    try:
        yield client
    finally:
        await client.close()


async def publish(client: Client, device: str, *numbers: int, size: int = 20) -> None:
    """Publish messages of a device; message n holds its samples from 20 n on."""
    for number in numbers:
        samples = samples_at((number * size + np.arange(size)) * 10)
        await client.publish(f"stinger.{device}.samples", encode_message(SampleMessage(number * size, samples)))
    await client.flush()


def new_group() -> str:
    return f"g{next(numbers)}"


def new_device() -> str:
    """Return the name of a device that appears only now; every group reads those of earlier tests as well."""
    return f"d{next(numbers)}"


async def test_partition_of_a_device_is_the_one_that_the_server_assigns(server: NatsServer) -> None:
    names = [new_device() for _ in range(20)]
    async with client_of(server) as client, member(url_of(server, new_group())) as one:
        await until(lambda: one.source.figures.held == PARTITIONS)
        for name in names:
            await publish(client, name, 0)
        await until(lambda: set(names) <= set(one.rights.learned))
    assert {name: one.rights.learned[name] for name in names} == {
        name: partition_of(name, PARTITIONS) for name in names
    }


async def test_two_members_share_the_partitions_and_one_that_leaves_hands_its_own_over(server: NatsServer) -> None:
    url, device = url_of(server, new_group()), new_device()
    async with client_of(server) as client, member(url) as first:
        await until(lambda: first.source.figures.held == PARTITIONS)
        async with member(url) as second:
            await until(lambda: (first.source.figures.held, second.source.figures.held) == (2, 2))
            await publish(client, device, *range(5))
            await until(lambda: len(first.firsts(device)) + len(second.firsts(device)) == 5)
            await asyncio.sleep(0.7)  # two renewals
            owner, other = (first, second) if first.firsts(device) else (second, first)
            assert other.firsts(device) == []
            await owner.stop()
            await until(lambda: other.source.figures.held == PARTITIONS)
            await publish(client, device, 5)
            await until(lambda: bool(other.firsts(device)))
    assert other.firsts(device) == [1000]
    assert other.firsts(device, warm_up=True) == [0, 200, 400, 600, 800]
    assert device in owner.released
    zeros = {block.clock_zero_ms for one in (owner, other) for block in one.intake.blocks if block.device == device}
    assert len(zeros) == 1


async def test_what_was_not_processed_before_the_end_is_read_again(server: NatsServer) -> None:
    url, device = url_of(server, new_group()), new_device()
    async with client_of(server) as client:
        async with member(url) as first:
            await until(lambda: first.source.figures.held == PARTITIONS)
            await publish(client, device, 0)
            await until(lambda: first.firsts(device) == [0])
            await asyncio.sleep(0.7)
            first.intake.source = None  # from now on nothing is scored
            await publish(client, device, 1, 2)
            await until(lambda: first.firsts(device) == [0, 200, 400])
        async with member(url) as second:
            await until(lambda: second.firsts(device) == [200, 400])
            assert second.firsts(device, warm_up=True) == [0]


async def test_position_stays_where_it_is_while_nothing_can_be_saved(server: NatsServer) -> None:
    url, device, saved = url_of(server, new_group()), new_device(), [Saved(True, 0)]
    async with client_of(server) as client, member(url, lambda: saved[0]) as first:
        await until(lambda: first.source.figures.held == PARTITIONS)
        saved[0] = Saved(False, 20)
        await publish(client, device, 0)
        await until(lambda: first.firsts(device) == [0])
        await asyncio.sleep(0.7)
        saved[0] = Saved(True, 20)  # it works again: what was not recorded is read once more
        await until(lambda: first.firsts(device) == [0, 0])
        assert device in first.released


async def test_member_that_cannot_save_leaves_its_partitions_to_one_that_can(server: NatsServer) -> None:
    url = url_of(server, new_group())
    async with member(url, lambda: Saved(False, 0)) as full, member(url) as fit:
        await until(lambda: (full.source.figures.held, fit.source.figures.held) == (0, PARTITIONS))
        await fit.stop()
        await until(lambda: full.source.figures.held == PARTITIONS)


@pytest.mark.parametrize("saves", [True, False], ids=["saving", "unable to save"])
async def test_thresholds_of_single_devices_move_with_their_partition(server: NatsServer, saves: bool) -> None:
    group = new_group()
    device = DeviceName(new_device())
    number = partition_of(device, PARTITIONS)
    wanted = {device: Threshold(0.8)}
    async with member(url_of(server, group), lambda: Saved(saves, 0)) as one:
        await until(lambda: one.source.figures.held == PARTITIONS)
        one.thresholds.by_partition[number] = wanted
        async with client_of(server) as client:
            leases = await client.jetstream().key_value(f"stinger-{group}")

            async def written() -> bool:
                content = (await leases.get(f"lease.{number}")).value or b""
                return LeaseRecord.from_json(content).checkpoint.thresholds == wanted

            async with asyncio.timeout(PATIENCE_S):
                while not await written():
                    await asyncio.sleep(0.05)
    async with member(url_of(server, group)) as other:
        await until(lambda: other.thresholds.by_partition.get(number) == wanted)
        await until(lambda: other.source.figures.held == PARTITIONS)
        assert [own for at, own in other.thresholds.by_partition.items() if at != number] == [{}] * (PARTITIONS - 1)


async def test_another_number_of_partitions_is_refused_with_one_line(server: NatsServer) -> None:
    group = new_group()
    async with member(url_of(server, group)) as first:
        await until(lambda: first.source.figures.held == PARTITIONS)
        other = parse_source_url(f"nats://127.0.0.1:{server.port}?stream=SAMPLES&group={group}&partitions=8")
        assert isinstance(other, NatsUrl)
        async with member(other) as second:
            with pytest.raises(InputError, match=f"group {group} has partitions = 4, not 8: give all its daemons"):
                await second.task


async def test_fewer_partitions_than_the_servers_use_are_refused(server: NatsServer) -> None:
    url = parse_source_url(f"nats://127.0.0.1:{server.port}?stream=SAMPLES&group={new_group()}&partitions=1")
    assert isinstance(url, NatsUrl)
    async with client_of(server) as client:
        for _ in range(20):
            await publish(client, new_device(), 0)
    async with member(url) as one:
        with pytest.raises(InputError, match="the servers use more than 1 partitions"):
            await one.task


async def test_stream_without_partitions_is_refused(server: NatsServer) -> None:
    async with client_of(server) as client:
        await client.jetstream().add_stream(StreamConfig(name="PLAIN", subjects=["plain.>"]))
    url = parse_source_url(f"nats://127.0.0.1:{server.port}?stream=PLAIN&group={new_group()}")
    assert isinstance(url, NatsUrl)
    async with member(url) as one:
        with pytest.raises(InputError, match=r"stream PLAIN has no partitions: expected a subject such as g\d+"):
            await one.task


async def test_messages_that_are_no_samples_are_counted(server: NatsServer) -> None:
    device = new_device()
    async with client_of(server) as client, member(url_of(server, new_group())) as one:
        await until(lambda: one.source.figures.held == PARTITIONS)
        before = one.source.figures.ignored
        await publish(client, device, 0)
        await client.publish(f"stinger.{device}.samples", b"rubbish")
        await publish(client, device, 1)
        await until(lambda: one.firsts(device) == [0, 200])
        await until(lambda: one.source.figures.ignored == before + 1)


async def test_server_that_is_absent_and_lost_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = NatsServer(tmp_path)
    device = new_device()
    async with member(url_of(server, "hall")) as one:
        await until(lambda: "nats_unavailable" in caplog.text)
        try:
            await asyncio.to_thread(server.start)
            await until(lambda: one.source.figures.held == PARTITIONS)
            async with client_of(server) as client:
                await publish(client, device, 0)
            await until(lambda: one.firsts(device) == [0])
            server.kill()
            await until(lambda: one.source.figures.held == 0)
            await asyncio.to_thread(server.start)
            await until(lambda: one.source.figures.held == PARTITIONS)
            async with client_of(server) as client:
                await publish(client, device, 1)
            await until(lambda: 200 in one.firsts(device))
        finally:
            await one.stop()
            server.kill()


async def test_wrong_password_is_logged_once_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "password").write_text("wrong\n")
    settings = "authorization { user: daemon, password: right }"
    with nats_server(tmp_path / "nats", settings) as server:
        url = url_of(server, "hall", f"&user=daemon&password_file={tmp_path / 'password'}")
        caplog.set_level(logging.WARNING)
        async with member(url):
            await until(lambda: "check user, password_file" in caplog.text)
            await asyncio.sleep(0.5)
    warnings = [
        record for record in caplog.records if record.levelname == "WARNING" and "nats_unavailable" in str(record.msg)
    ]
    assert len(warnings) == 1
    assert "wrong" not in caplog.text.lower().replace("wrong_", "")


async def test_stream_that_is_full_keeps_what_it_has_and_is_read_on(tmp_path: Path) -> None:
    with nats_server(tmp_path) as server:
        async with client_of(server) as client:
            await client.jetstream().add_stream(
                StreamConfig(
                    name="SAMPLES", subjects=["hall.*.stinger.*.samples"], max_msgs=3, discard=DiscardPolicy.NEW
                )
            )
            device = new_device()
            async with member(url_of(server, "hall")) as one:
                await until(lambda: one.source.figures.held == PARTITIONS)
                await publish(client, device, *range(6))
                await until(lambda: one.firsts(device) == [0, 200, 400])
                await client.jetstream().purge_stream("SAMPLES")
                await publish(client, device, 6)
                await until(lambda: one.firsts(device)[3:] == [1200])


async def fill(client: Client, size: int) -> None:
    """Publish messages of ``size`` bytes until one is refused."""
    with pytest.raises(nats.js.errors.APIError):  # noqa: PT012 - one of many is refused
        for _ in range(1000):
            await client.jetstream().publish("hall.0.stinger.filler.samples", bytes(size))


async def test_server_whose_disk_is_full_is_waited_for_and_read_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    device = new_device()
    with nats_server(tmp_path, limits="max_file_store: 200KB") as server:
        async with client_of(server) as client, member(url_of(server, "hall")) as one:
            await until(lambda: one.source.figures.held == PARTITIONS)
            await publish(client, device, 0)
            await until(lambda: one.firsts(device) == [0])
            async with asyncio.timeout(PATIENCE_S):
                while "lease_not_written" not in caplog.text:  # leases take room as well
                    await fill(client, 20_000)
                    await fill(client, 100)
            assert "the server refuses: insufficient resources" in caplog.text
            await client.jetstream().purge_stream("SAMPLES", subject="hall.0.stinger.filler.samples")
            await until(lambda: one.source.figures.held == PARTITIONS)
            await publish(client, device, 1)
            await until(lambda: one.firsts(device) == [0, 200])

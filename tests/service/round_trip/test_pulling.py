from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from hil.emulated import EmulatedBlaster, Port
from service.base.link_errors import LinkLostError
from service.round_trip.blaster_client import BlasterClient
from service.round_trip.pulling import PulledLog, pull_log
from stinger.errors import DeviceError, ProtocolError
from tests.helpers.samples import random_samples
from tests.hil.emulating import SESSION
from tests.service.round_trip.emulated_client import QUICK, client_of

FULL = random_samples(84_000)
LONG = random_samples(20_000)


SHORT_LOG = replace(QUICK, log_s=1.0)


@contextmanager
def _no_progress(_: int) -> Iterator[Callable[[int], object]]:
    yield lambda _: None


def pulled(client: BlasterClient) -> PulledLog:
    return pull_log(client, "log.bin", transfer=_no_progress)


async def test_log_of_a_full_flash_is_fetched_and_parsed(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=FULL)) as harness:
        log = await harness.run(pulled)
    assert log.data == FULL.tobytes()
    assert log.log is not None
    assert log.log.samples.tobytes() == FULL.tobytes()
    assert harness.notices == []


async def test_progress_covers_every_byte(pty: Port) -> None:
    progress: list[int] = []

    @contextmanager
    def transfer(size: int) -> Iterator[Callable[[int], object]]:
        assert size == LONG.nbytes
        yield progress.append

    async with client_of(pty, blaster=EmulatedBlaster(logged=LONG)) as harness:
        await harness.run(lambda client: pull_log(client, "log.bin", transfer=transfer))
    assert len(progress) > 5
    assert sum(progress) - LONG.nbytes in {0, 1}


async def test_lines_of_text_around_a_log_are_not_part_of_it(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=SESSION), faults=["chatter"]) as harness:
        assert (await harness.run(pulled)).data == SESSION.tobytes()


async def test_truncated_log_is_requested_again(port: Port) -> None:
    async with client_of(
        port, blaster=EmulatedBlaster(logged=LONG), faults=["cutlog:times=1"], timeouts=SHORT_LOG
    ) as harness:
        assert (await harness.run(pulled)).data == LONG.tobytes()
    assert harness.notices == ["the log broke off after 339,014 of 340,000 bytes: requesting it again (2 of 3)"]


async def test_log_that_is_truncated_every_time_is_an_error(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=LONG), faults=["cutlog"], timeouts=SHORT_LOG) as harness:
        with pytest.raises(ProtocolError, match=r"broke off after .* bytes, 3 times; nothing was written: try another"):
            await harness.run(pulled)
    assert len(harness.notices) == 2


async def test_log_with_a_damaged_record_is_requested_again(pty: Port) -> None:
    class OnceDamaged(EmulatedBlaster):
        reads = 0

        def read_log(self) -> bytes:
            self.reads += 1
            damaged = bytearray(SESSION.tobytes())
            damaged[16] = 7 if self.reads == 1 else damaged[16]
            return bytes(damaged)

    async with client_of(pty, blaster=OnceDamaged()) as harness:
        log = await harness.run(pulled)
    assert (log.data, log.damage) == (SESSION.tobytes(), "")
    assert len(harness.notices) == 1


async def test_log_that_arrives_twice_with_the_same_damage_is_kept(pty: Port) -> None:
    class Damaged(EmulatedBlaster):
        def read_log(self) -> bytes:
            return b"\x07" * 170

    async with client_of(pty, blaster=Damaged()) as harness:
        log = await harness.run(pulled)
    assert log.log is None
    assert log.data == Damaged().read_log()
    assert "byte 16: the trigger is 7" in log.damage
    assert harness.notices[0].endswith("requesting it again (2 of 3)")


async def test_intact_records_of_a_log_that_is_damaged_on_the_blaster_are_kept(pty: Port) -> None:
    class Damaged(EmulatedBlaster):
        def read_log(self) -> bytes:
            return SESSION.tobytes()[:1000] + SESSION.tobytes()[1004:]

    async with client_of(pty, blaster=Damaged()) as harness:
        log = await harness.run(pulled)
    assert log.log is not None
    assert len(log.log.samples) >= SESSION.size - 3
    assert "that are not sample records at byte" in harness.notices[0]


async def test_firing_blaster_is_asked_again(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=SESSION), faults=["busy:times=2"]) as harness:
        assert (await harness.run(pulled)).data == SESSION.tobytes()
    assert harness.notices == [f"the blaster is firing: requesting it again ({i} of 3)" for i in (2, 3)]


async def test_blaster_that_keeps_firing_is_one_line(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=SESSION), faults=["busy"]) as harness:
        with pytest.raises(DeviceError, match="wait until the wheels stand still") as raised:
            await harness.run(pulled)
    assert raised.value.reason == "busy (firing)"


async def test_empty_log_is_an_error_at_once(port: Port) -> None:
    async with client_of(port) as harness:
        with pytest.raises(DeviceError, match="the blaster's log is empty"):
            await harness.run(pulled)
    assert harness.notices == []


async def test_unplugging_during_a_transfer_reports_the_bytes_received_and_what_to_do(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=LONG), faults=["slow:kb=100"]) as harness:
        loop = asyncio.get_running_loop()

        @contextmanager
        def transfer(_: int) -> Iterator[Callable[[int], object]]:
            loop.call_soon_threadsafe(harness.device.port.unplug)
            yield lambda _: None

        with pytest.raises(LinkLostError, match=r"after [\d,]+ of 340,000 bytes of the log; nothing was written"):
            await harness.run(lambda client: pull_log(client, "log.bin", transfer=transfer))
        harness.device.port.plug_in(harness.device)
        harness.device._faults = type(harness.device._faults)()  # quick again
        assert (await harness.run(pulled)).data == LONG.tobytes()

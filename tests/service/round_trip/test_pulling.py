from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hil.emulated import EmulatedBlaster, Port
from service.base.link_errors import LinkLostError
from service.round_trip.blaster_client import BlasterClient
from service.round_trip.pulling import PulledLog, pull_log
from stinger.errors import DeviceError, ProtocolError
from stinger.wire.host import DumpLog
from tests.helpers.samples import random_samples
from tests.hil.emulating import SESSION
from tests.service.round_trip.emulated_client import client_of

FULL = random_samples(84_000)
LONG = random_samples(20_000)


@pytest.fixture
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DumpLog, "timeout_s", 1.0)


@contextmanager
def _unseen(_: int) -> Iterator[Callable[[int], object]]:
    yield lambda _: None


def pulled(client: BlasterClient) -> PulledLog:
    return pull_log(client, "log.bin", transfer=_unseen)


async def test_log_of_full_flash_comes_whole_with_what_is_in_it(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=FULL)) as harness:
        log = await harness.run(pulled)
    assert log.data == FULL.tobytes()
    assert log.log is not None
    assert log.log.samples.tobytes() == FULL.tobytes()
    assert harness.notices == []


async def test_progress_tells_of_every_byte(pty: Port) -> None:
    told: list[int] = []

    @contextmanager
    def transfer(size: int) -> Iterator[Callable[[int], object]]:
        assert size == LONG.nbytes
        yield told.append

    async with client_of(pty, blaster=EmulatedBlaster(logged=LONG)) as harness:
        await harness.run(lambda client: pull_log(client, "log.bin", transfer=transfer))
    assert len(told) > 5
    assert sum(told) - LONG.nbytes in {0, 1}


async def test_lines_of_text_around_a_log_are_no_part_of_it(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=SESSION), faults=["chatter"]) as harness:
        assert (await harness.run(pulled)).data == SESSION.tobytes()


@pytest.mark.usefixtures("little_patience")
async def test_log_that_was_cut_is_asked_for_again(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=LONG), faults=["cutlog:times=1"]) as harness:
        assert (await harness.run(pulled)).data == LONG.tobytes()
    assert harness.notices == ["the log broke off after 339,014 of 340,000 bytes: asking again (2 of 3)"]


@pytest.mark.usefixtures("little_patience")
async def test_log_that_is_always_cut_is_an_error_in_the_end(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=LONG), faults=["cutlog"]) as harness:
        with pytest.raises(ProtocolError, match=r"broke off after .* bytes, 3 times; nothing was written: try another"):
            await harness.run(pulled)
    assert len(harness.notices) == 2


async def test_record_that_cannot_be_is_damage_and_the_log_asked_for_again(pty: Port) -> None:
    class OnceDamaged(EmulatedBlaster):
        reads = 0

        def read_log(self) -> bytes:
            self.reads += 1
            return bytes(16) + bytes([7 if self.reads == 1 else 0]) + bytes(170)

    async with client_of(pty, blaster=OnceDamaged()) as harness:
        log = await harness.run(pulled)
    assert (log.data, log.damage) == (bytes(187), "")
    assert len(harness.notices) == 1


async def test_damage_that_comes_twice_alike_is_the_blasters_own_and_kept(pty: Port) -> None:
    class Damaged(EmulatedBlaster):
        def read_log(self) -> bytes:
            return bytes(16) + b"\x07" + bytes(170)

    async with client_of(pty, blaster=Damaged()) as harness:
        log = await harness.run(pulled)
    assert log.log is None
    assert log.data == Damaged().read_log()
    assert "byte 16: the trigger is 7" in log.damage
    assert harness.notices[0].endswith("asking again (2 of 3)")


async def test_firing_blaster_is_asked_again_and_in_the_end_left_alone(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=SESSION), faults=["busy:times=2"]) as harness:
        assert (await harness.run(pulled)).data == SESSION.tobytes()
    assert harness.notices == [f"the blaster is firing: asking again ({i} of 3)" for i in (2, 3)]


async def test_blaster_that_fires_on_is_one_line(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=SESSION), faults=["busy"]) as harness:
        with pytest.raises(DeviceError, match="wait until the wheels stand still") as raised:
            await harness.run(pulled)
    assert raised.value.reason == "busy (firing)"


async def test_empty_log_is_told_at_once(port: Port) -> None:
    async with client_of(port) as harness:
        with pytest.raises(DeviceError, match="the blaster's log is empty"):
            await harness.run(pulled)
    assert harness.notices == []


async def test_unplugged_in_the_middle_says_how_much_had_come_and_what_to_do(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=LONG), faults=["slow:kb=100"]) as harness:
        loop = asyncio.get_running_loop()

        @contextmanager
        def transfer(_: int) -> Iterator[Callable[[int], object]]:
            loop.call_soon_threadsafe(harness.device.port.unplug)
            yield lambda _: None

        with pytest.raises(LinkLostError, match=r"after [\d,]+ of 340,000 bytes of the log; nothing was written"):
            await harness.run(lambda client: pull_log(client, "log.bin", transfer=transfer))
        harness.device.port.plug_in(harness.device)
        harness.device._plan = type(harness.device._plan)()  # quick again
        assert (await harness.run(pulled)).data == LONG.tobytes()

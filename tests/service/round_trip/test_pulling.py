from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hil.emulated import EmulatedBlaster, Port
from service.base.link_errors import LinkLostError
from service.round_trip.conversation import Conversation
from service.round_trip.pulling import PulledLog, pull_log
from stinger.errors import DeviceError, ProtocolError
from stinger.wire.host import DumpLog
from tests.helpers.samples import random_samples
from tests.hil.emulating import SESSION
from tests.service.round_trip.emulated_ends import talk

FULL = random_samples(84_000)
LONG = random_samples(20_000)


@pytest.fixture
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DumpLog, "timeout_s", 1.0)


@contextmanager
def _unseen(_: int) -> Iterator[Callable[[int], object]]:
    yield lambda _: None


def pulled(conversation: Conversation) -> PulledLog:
    return pull_log(conversation, "log.bin", transfer=_unseen)


async def test_log_of_full_flash_comes_whole_with_what_is_in_it(port: Port) -> None:
    async with talk(port, blaster=EmulatedBlaster(logged=FULL)) as talking:
        log = await talking.do(pulled)
    assert log.data == FULL.tobytes()
    assert log.log is not None
    assert log.log.samples.tobytes() == FULL.tobytes()
    assert talking.said == []


async def test_progress_tells_of_every_byte(pty: Port) -> None:
    told: list[int] = []

    @contextmanager
    def transfer(size: int) -> Iterator[Callable[[int], object]]:
        assert size == LONG.nbytes
        yield told.append

    async with talk(pty, blaster=EmulatedBlaster(logged=LONG)) as talking:
        await talking.do(lambda conversation: pull_log(conversation, "log.bin", transfer=transfer))
    assert len(told) > 5
    assert sum(told) - LONG.nbytes in {0, 1}


async def test_lines_of_text_around_a_log_are_no_part_of_it(port: Port) -> None:
    async with talk(port, blaster=EmulatedBlaster(logged=SESSION), faults=["chatter"]) as talking:
        assert (await talking.do(pulled)).data == SESSION.tobytes()


@pytest.mark.usefixtures("little_patience")
async def test_log_that_was_cut_is_asked_for_again(port: Port) -> None:
    async with talk(port, blaster=EmulatedBlaster(logged=LONG), faults=["cutlog:times=1"]) as talking:
        assert (await talking.do(pulled)).data == LONG.tobytes()
    assert talking.said == ["the log broke off after 339,014 of 340,000 bytes: asking again (2 of 3)"]


@pytest.mark.usefixtures("little_patience")
async def test_log_that_is_always_cut_is_an_error_in_the_end(port: Port) -> None:
    async with talk(port, blaster=EmulatedBlaster(logged=LONG), faults=["cutlog"]) as talking:
        with pytest.raises(ProtocolError, match=r"broke off after .* bytes, 3 times; nothing was written: try another"):
            await talking.do(pulled)
    assert len(talking.said) == 2


async def test_record_that_cannot_be_is_damage_and_the_log_asked_for_again(pty: Port) -> None:
    class OnceDamaged(EmulatedBlaster):
        reads = 0

        def read_log(self) -> bytes:
            self.reads += 1
            return bytes(16) + bytes([7 if self.reads == 1 else 0]) + bytes(170)

    async with talk(pty, blaster=OnceDamaged()) as talking:
        log = await talking.do(pulled)
    assert (log.data, log.damage) == (bytes(187), "")
    assert len(talking.said) == 1


async def test_damage_that_comes_twice_alike_is_the_blasters_own_and_kept(pty: Port) -> None:
    class Damaged(EmulatedBlaster):
        def read_log(self) -> bytes:
            return bytes(16) + b"\x07" + bytes(170)

    async with talk(pty, blaster=Damaged()) as talking:
        log = await talking.do(pulled)
    assert log.log is None
    assert log.data == Damaged().read_log()
    assert "byte 16: the trigger is 7" in log.damage
    assert talking.said[0].endswith("asking again (2 of 3)")


async def test_firing_blaster_is_asked_again_and_in_the_end_left_alone(port: Port) -> None:
    async with talk(port, blaster=EmulatedBlaster(logged=SESSION), faults=["busy:times=2"]) as talking:
        assert (await talking.do(pulled)).data == SESSION.tobytes()
    assert talking.said == [f"the blaster is firing: asking again ({i} of 3)" for i in (2, 3)]


async def test_blaster_that_fires_on_is_one_line(port: Port) -> None:
    async with talk(port, blaster=EmulatedBlaster(logged=SESSION), faults=["busy"]) as talking:
        with pytest.raises(DeviceError, match="wait until the wheels stand still") as raised:
            await talking.do(pulled)
    assert raised.value.reason == "busy (firing)"


async def test_empty_log_is_told_at_once(port: Port) -> None:
    async with talk(port) as talking:
        with pytest.raises(DeviceError, match="the blaster's log is empty"):
            await talking.do(pulled)
    assert talking.said == []


async def test_unplugged_in_the_middle_says_how_much_had_come_and_what_to_do(port: Port) -> None:
    async with talk(port, blaster=EmulatedBlaster(logged=LONG), faults=["slow:kb=100"]) as talking:
        loop = asyncio.get_running_loop()

        @contextmanager
        def transfer(_: int) -> Iterator[Callable[[int], object]]:
            loop.call_soon_threadsafe(talking.device.port.unplug)
            yield lambda _: None

        with pytest.raises(LinkLostError, match=r"after [\d,]+ of 340,000 bytes of the log; nothing was written"):
            await talking.do(lambda conversation: pull_log(conversation, "log.bin", transfer=transfer))
        talking.device.port.plug_in(talking.device)
        talking.device._plan = type(talking.device._plan)()  # quick again
        assert (await talking.do(pulled)).data == LONG.tobytes()

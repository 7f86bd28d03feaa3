from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from hil.emulated import EmulatedBlaster, Firmware, Port, PtyPort, TcpPort
from service.base.link_errors import LinkLostError
from service.round_trip.blaster_client import BlasterClient, Timeouts
from service.round_trip.links import TcpLink
from stinger.errors import ProtocolError, StingerError
from stinger.wire.commands import ModelStatus
from tests.helpers.brokers import until
from tests.helpers.patience import PATIENCE_S
from tests.hil.emulating import SESSION
from tests.service.round_trip.emulated_client import QUICK, SHORT, address_of, client_of
from tests.service.sources.blaster_ends import SocketEnd, listening


async def synchronise_with(play: Callable[[SocketEnd], Coroutine[None, None, None]], timeouts: Timeouts = QUICK) -> int:
    """Synchronise with a blaster that ``play`` simulates; return its number of samples. The user gets no notices."""
    notices: list[str] = []
    async with listening() as server:

        def whole() -> int:
            with TcpLink("127.0.0.1", server.port) as link:
                return BlasterClient(link, notify=notices.append, timeouts=timeouts).synchronise()

        synchronising = asyncio.create_task(asyncio.to_thread(whole))
        end = await server.next()
        await end.wait_for(b"MLINFO\n")
        playing = asyncio.create_task(play(end))
        try:
            count = await synchronising
        finally:
            playing.cancel()
            await asyncio.wait({playing})
    assert notices == []
    return count


async def test_synchronise_returns_the_number_of_samples_in_the_log(port: Port) -> None:
    async with client_of(port, blaster=EmulatedBlaster(logged=SESSION)) as harness:
        assert await harness.run(BlasterClient.synchronise) == SESSION.size
    assert harness.notices == []


async def test_response_is_recognised_among_lines_of_text(port: Port) -> None:
    async with client_of(port, faults=["chatter"]) as harness:
        status = await harness.run(BlasterClient.status)
    assert isinstance(status, ModelStatus)
    assert len(status.fingerprints) == 4


async def test_running_stream_is_stopped() -> None:
    async def frames_then_answer(end: SocketEnd) -> None:
        end.write(b"\x06\x01\x02\x01\xe8\x00" * 500)
        await end.wait_for(b"MLSTREAM 0\n")
        end.write(b"MLSTREAM_DONE\n[ml] samples_written=7 (~0.1s)\r\n")

    assert await synchronise_with(frames_then_answer) == 7


async def test_rest_of_an_unread_log_is_drained() -> None:
    async def finish(end: SocketEnd) -> None:
        for _ in range(25):  # longer in total than the timeout for a response, and each wait much shorter
            end.write(bytes(1000))
            await asyncio.sleep(0.1)
        end.write(b"\nMLDUMP_DONE\r\n[ml] samples_written=7 (~0.1s)\r\n")

    assert await synchronise_with(finish, Timeouts(response_s=2.0)) == 7


async def test_interrupted_upload_is_waited_for(port: Port) -> None:
    timeouts = Timeouts(response_s=0.5, upload_abandoned_s=PATIENCE_S)
    async with client_of(port, timeouts=timeouts, upload_timeout_s=0.5) as harness:

        def break_off() -> None:
            with address_of(harness.device).open() as link:
                link.write(b"MLMODEL_PUT_LR 244 00000000\n")
                while b"READY" not in link.read():
                    pass
                link.write(bytes(100))

        await asyncio.to_thread(break_off)
        await until(lambda: harness.device.port.connection is None)
        assert await harness.run(BlasterClient.synchronise) == 0
    assert len(harness.notices) <= 1


async def test_news_of_an_abandoned_upload_is_not_a_response() -> None:
    async def late_news(end: SocketEnd) -> None:
        end.write(b"[ml] MLMODEL_ERR timeout\r\n")
        await end.wait_for(b"MLINFO\nMLINFO\n")
        end.write(b"[ml] samples_written=7 (~0.1s)\r\n")

    assert await synchronise_with(late_news) == 7


async def test_silent_device_is_not_a_blaster(pty: Port) -> None:
    async with client_of(pty, faults=["silent"], timeouts=SHORT) as harness:
        with pytest.raises(ProtocolError, match="blaster: no blaster answers: is it the right port"):
            await harness.run(BlasterClient.status)
    assert "no response yet, waiting up to 1 s" in harness.notices[0]


async def test_device_that_sends_other_text_is_not_a_blaster() -> None:
    async def babble(end: SocketEnd) -> None:
        while end.transport is not None and not end.transport.is_closing():
            end.write(b"[batt] 7.4 V\r\n")
            await asyncio.sleep(0.02)

    with pytest.raises(ProtocolError, match="no blaster answers"):
        await synchronise_with(babble, Timeouts(response_s=0.2, drain_s=0.5, upload_abandoned_s=0.2))


async def test_older_firmware_is_reported(port: Port) -> None:
    async with client_of(port, firmware=Firmware.OLD) as harness:
        with pytest.raises(StingerError, match="too old: it keeps no log and accepts no models"):
            await harness.run(BlasterClient.status)


async def test_second_program_at_a_serial_port_gets_in_use() -> None:
    async with client_of(PtyPort()) as harness:

        def two() -> None:
            with address_of(harness.device).open(), harness.open():
                pass

        with pytest.raises(LinkLostError, match="in use by another program, such as 'stinger run'"):
            await asyncio.to_thread(two)


async def test_second_program_at_a_socket_gets_a_hint_to_the_first() -> None:
    async with client_of(TcpPort()) as harness:

        def two() -> None:
            with harness.open() as first:
                first.synchronise()
                with harness.open() as second:
                    second.synchronise()

        with pytest.raises(LinkLostError, match="is another program connected to it"):
            await asyncio.to_thread(two)


async def test_unplugging_is_an_error_and_leaves_nothing_open(port: Port) -> None:
    async with client_of(port) as harness:
        loop = asyncio.get_running_loop()

        def unplugged(client: BlasterClient) -> None:
            loop.call_soon_threadsafe(harness.device.port.unplug)
            for _ in range(100):
                client.status()

        with pytest.raises(LinkLostError, match=r"unplugged or switched off|closed at the other end|reset|roken pipe"):
            await harness.run(unplugged)

"""The broker inside the process: it serves one machine, logs nothing and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from contextlib import suppress

import pytest

from service.config.broker_address import BrokerAddress
from service.mqtt.broker_link import BrokerLink
from service.mqtt.embedded_broker import EmbeddedBroker
from service.mqtt.messages import event_message, link_message
from service.mqtt.outbox import Outbox
from stinger.errors import InputError
from tests.helpers.brokers import subscriber, until
from tests.helpers.events import NOW_S, link_report, shot
from tests.service.mqtt.broker_links import execute
from tests.service.mqtt.conftest import running

pytest.importorskip("amqtt", reason="the embedded broker is an optional dependency")


def address(broker: EmbeddedBroker) -> BrokerAddress:
    return BrokerAddress("127.0.0.1", broker.port, embedded=True)


async def test_events_states_and_commands_pass_through_it_and_nothing_is_logged(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    events = [shot(device_ms=n) for n in range(50)]
    async with EmbeddedBroker(0) as broker:
        link = BrokerLink(address(broker), outbox, version="1", on_command=execute)
        async with subscriber(broker.port, "stinger/#") as heard, running(link):
            await until(lambda: link.connected)
            link.publisher.put(link_message(link_report(), NOW_S))
            for event in events:
                link.publisher.put(event_message(event))
            await heard.until(lambda: len(heard.on("stinger/b1/shot")) == 50)
            assert [json.loads(m.payload)["id"] for m in heard.on("stinger/b1/shot")] == [e.id for e in events]
            assert heard.client is not None
            await heard.client.publish("stinger/b1/command/set_threshold", b'{"threshold":0.3}', 1)
            await heard.until(lambda: bool(heard.on("stinger/b1/command/set_threshold/response")))
            async with subscriber(broker.port, "stinger/b1/link") as late:
                await late.until(lambda: bool(late.on("stinger/b1/link")))
            assert link.protocol == "3.1.1"
        await until(lambda: link.depth == 0)
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_it_leaves_no_task_behind_even_with_clients_connected() -> None:
    before = asyncio.all_tasks()
    async with EmbeddedBroker(0) as broker:
        _, silent = await asyncio.open_connection("127.0.0.1", broker.port)
        async with subscriber(broker.port) as heard:
            assert heard.client is not None
            await heard.client.publish("x", b"", 1)
        _, rude = await asyncio.open_connection("127.0.0.1", broker.port)
        rude.write(b"\xffGET / HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0.05)
    for writer in (silent, rude):
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    await until(lambda: asyncio.all_tasks() == before)


async def test_a_port_in_use_is_an_error_of_one_line_with_a_remedy() -> None:
    async with EmbeddedBroker(0) as broker:
        with pytest.raises(
            InputError, match=rf"port {broker.port} is in use; connect .*--broker mqtt://127.0.0.1:{broker.port}"
        ):
            async with EmbeddedBroker(broker.port):
                pass


async def test_without_amqtt_the_error_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amqtt.broker", None)
    with pytest.raises(InputError, match=r"stinger-ml\[broker\]"):
        async with EmbeddedBroker(0):
            pass

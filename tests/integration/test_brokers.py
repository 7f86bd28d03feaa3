"""A real daemon delivers every event to each kind of broker, across a restart of the broker."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from models.synthetic.session import synthesise
from service.mqtt.embedded_broker import EmbeddedBroker
from stinger.logs import write_log
from tests.helpers.brokers import Mosquitto, free_port, relay, subscriber, until
from tests.helpers.daemons import DaemonProcess, daemon
from tests.helpers.other_brokers import BrokerProcess, NatsServer, RabbitMq
from tests.helpers.strict_broker import EVERY_LIMIT, StrictBroker

SHOT = "stinger/b1/shot"
QUIET_S = 0.5


class Broker(ABC):
    """A broker that can be restarted, and the shots that arrived through it."""

    port: int
    received: list[str]
    """The ids of shots."""

    @abstractmethod
    async def start(self) -> None:
        """Start it, and receive from now on."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop it, after what it has acknowledged was received."""


class Subscribed(Broker):
    """A broker with a subscriber, which is there before the daemon's connection."""

    def __init__(self) -> None:
        self.received = []
        self._stack = AsyncExitStack()

    async def _subscribe(self) -> None:
        heard = await self._stack.enter_async_context(subscriber(self.port, SHOT))

        async def keep() -> None:
            taken = 0
            while True:
                new, taken = heard.messages[taken:], len(heard.messages)
                self.received += [json.loads(bytes(message.payload))["id"] for message in new]
                await asyncio.sleep(0.01)

        task = asyncio.create_task(keep())
        self._stack.callback(task.cancel)

    async def _drain(self) -> None:
        before = -1
        while before != len(self.received):
            before = len(self.received)
            await asyncio.sleep(QUIET_S)
        await self._stack.aclose()


class OtherProcess(Subscribed):
    def __init__(self, process: Mosquitto | BrokerProcess) -> None:
        super().__init__()
        self._process = process
        self.port = process.port

    async def start(self) -> None:
        await asyncio.to_thread(self._process.start)
        await self._subscribe()

    async def stop(self) -> None:
        await self._drain()
        await asyncio.to_thread(self._process.kill)


class Amqtt(Subscribed):
    def __init__(self) -> None:
        pytest.importorskip("amqtt")
        super().__init__()
        self.port = free_port()

    async def start(self) -> None:
        self._broker = await self._stack.enter_async_context(EmbeddedBroker(self.port))
        await self._subscribe()

    async def stop(self) -> None:
        await self._drain()


class Strict(Broker):
    def __init__(self) -> None:
        self._broker = StrictBroker(EVERY_LIMIT, port=free_port())
        self.port = self._broker.port

    @property
    def received(self) -> list[str]:  # type: ignore[override]  # an attribute of the others
        return [json.loads(payload)["id"] for payload in self._broker.payloads(SHOT)]

    async def start(self) -> None:
        await self._broker.start()

    async def stop(self) -> None:
        await self._broker.stop()
        assert self._broker.violations == []


SLOW = ("amqtt", "nats-server", "rabbitmq-server")
KINDS = ["mosquitto", "strict", *(pytest.param(kind, marks=pytest.mark.slow) for kind in SLOW)]


@asynccontextmanager
async def broker_of(kind: str, folder: Path) -> AsyncIterator[Broker]:
    made: dict[str, Broker] = {}
    match kind:
        case "mosquitto":
            process: Mosquitto | BrokerProcess = Mosquitto(folder)
            made[kind] = OtherProcess(process)
        case "nats-server":
            made[kind] = OtherProcess(process := NatsServer(folder))
        case "rabbitmq-server":
            made[kind] = OtherProcess(process := RabbitMq(folder))
        case "amqtt":
            made[kind] = Amqtt()
        case _:
            made[kind] = Strict()
    broker = made[kind]
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_daemon_delivers_every_shot_across_a_restart_of_the_broker(kind: str, tmp_path: Path) -> None:
    samples = synthesise(minutes=2, seed=7)
    write_log(tmp_path / "session.bin", samples)
    pulls = int(np.count_nonzero(np.diff(samples["trigger"].astype(np.int8)) == 1))
    assert pulls > 20
    port = free_port()
    address = ("--broker", f"mqtt://127.0.0.1:{port}", "--threshold", "0.2")
    source = ("--source", f"replay:{tmp_path / 'session.bin'}?speed=10&device=b1")
    async with broker_of(kind, tmp_path / "broker") as broker:
        with daemon(tmp_path, *address, *source) as process:
            async with relay(broker.port, port=port):
                await until(lambda: len(set(broker.received)) >= 5)
            await broker.stop()
            await broker.start()
            async with relay(broker.port, port=port):
                await asyncio.to_thread(process.end)
        # What was not delivered by then is delivered by the next start.
        with daemon(tmp_path, *address, "--source", "tcp://127.0.0.1:1?device=b2", name="next") as following:
            async with relay(broker.port, port=port):
                await until(lambda: len(set(broker.received)) >= pulls)
            await _end(following)
        assert len(set(broker.received)) == pulls


async def _end(process: DaemonProcess) -> None:
    await asyncio.to_thread(process.wait_for, "ready: ")
    process.process.terminate()
    assert await asyncio.to_thread(process.end) == 0

"""Brokers for tests: a real mosquitto, a relay in front of it, a scripted broker; and a subscriber that keeps what it receives."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import pytest

from tests.helpers.patience import PATIENCE_S, mqtt_client


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Mosquitto:
    """mosquitto on ``port`` of the loopback, with ``settings``: lines of its configuration."""

    folder: Path
    settings: str = "allow_anonymous true\nmax_queued_messages 0"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
        if program is None:
            pytest.skip("mosquitto is not installed")
        self.folder.mkdir(exist_ok=True)
        # With its default of 1,000 queued messages it drops those that a slow subscriber has not fetched.
        lines = [
            "user root",
            "max_queued_messages 0",
            "set_tcp_nodelay true",
            f"listener {self.port} 127.0.0.1",
            self.settings,
            "",
        ]
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(lines))
        log = (self.folder / "mosquitto.log").open("ab")
        with log:
            self.process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert self.process.poll() is None, (self.folder / "mosquitto.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.process = None

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
            self.process = None


@dataclass
class Heard:
    """What a subscriber has received so far."""

    messages: list[aiomqtt.Message] = field(default_factory=list)
    client: aiomqtt.Client | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False
    """Whether the connection is lost; all that was received is in ``messages`` then."""

    def on(self, topic: str) -> list[aiomqtt.Message]:
        return [message for message in self.messages if message.topic.value == topic]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds; fail after :data:`PATIENCE_S`, or when the connection is lost without it."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                assert not self.ended, "the connection to the broker is lost"
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def subscriber(
    port: int,
    *filters: str,
    protocol: aiomqtt.ProtocolVersion = aiomqtt.ProtocolVersion.V311,
    identifier: str | None = None,
) -> AsyncIterator[Heard]:
    """Subscribe to ``filters``, or to everything. With an ``identifier``, the broker queues messages while it is away."""
    heard = Heard()
    client = mqtt_client(port, protocol=protocol, identifier=identifier, clean_session=False if identifier else None)
    async with client:
        heard.client = client

        async def listen() -> None:
            try:
                async for message in client.messages:
                    heard.messages.append(message)
                    heard.changed.set()
            finally:
                heard.ended = True
                heard.changed.set()

        listening = asyncio.create_task(listen())
        try:
            await client.subscribe([(name, 1) for name in filters or ("#",)])
            yield heard
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def retained_messages(port: int, topic_filter: str = "#") -> list[aiomqtt.Message]:
    """Return the retained messages of a broker that match ``topic_filter``.

    The broker delivers them before anything that is published after the subscription.
    """
    end = f"end-of-retained/{secrets.token_hex(4)}"
    async with subscriber(port, topic_filter, end) as heard:
        assert heard.client is not None
        await heard.client.publish(end, qos=1)
        await heard.until(lambda: bool(heard.on(end)))
        return [message for message in heard.messages if message.retain]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds; fail after :data:`PATIENCE_S`."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def relay(to_port: int, *, port: int = 0, delay_s: float = 0) -> AsyncIterator[int]:
    """Relay ``port`` (0: a free one) to another port while the context lasts, with ``delay_s`` on the way back."""
    carrying: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wait_s: float) -> None:
        try:
            while data := await reader.read(65536):
                await asyncio.sleep(wait_s)
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", to_port)
        except OSError:
            writer.close()
            return
        carrying.add(asyncio.create_task(carry(reader, far_writer, 0)))
        carrying.add(asyncio.create_task(carry(far_reader, writer, delay_s)))

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)


@asynccontextmanager
async def scripted_broker(*answers: bytes | None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer each received packet with the next of ``answers``, then close; ``None``, or no answers, is silence.

    Gives the port and the packets received so far.
    """
    received: list[bytes] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        for answer in answers or (None,):
            if data := await reader.read(1000):
                received.append(data)
                if answer is not None:
                    writer.write(answer)
        if answers:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], received
    finally:
        server.close()
        for writer in writers:
            writer.close()


def protocol_level(connect: bytes) -> int:
    return connect[connect.index(b"MQTT") + 4]

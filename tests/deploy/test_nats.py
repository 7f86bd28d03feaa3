"""The files for a cluster of NATS servers: certificates, accounts, and what a blaster's account may do."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import StreamConfig

from service.sources.nats_leases import partition_of
from tests.deploy.places import DEPLOY, program
from tests.helpers.brokers import free_port
from tests.helpers.cli import run_program
from tests.helpers.patience import PATIENCE_S, mqtt_client

SETUP = DEPLOY / "nats" / "setup.sh"


@dataclass
class Secured:
    """One server with the project's configuration, alone in its cluster."""

    folder: Path
    port: int
    mqtt_port: int

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.folder / "accounts" / "ca.crt")

    def setup(self, *arguments: str) -> str:
        done = subprocess.run(
            ["sh", str(SETUP), *arguments],
            env={**os.environ, "NATS_FOLDER": str(self.folder / "accounts")},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def mqtt(self, user: str, password: str) -> aiomqtt.Client:
        return mqtt_client(
            self.mqtt_port, username=user, password=password, tls_context=self.tls, identifier=f"id-{user}"
        )

    async def connect(self) -> Client:
        return await nats.connect(
            f"nats://localhost:{self.port}", user="stinger", password=self.setup("show", "stinger"), tls=self.tls
        )


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    server, _ = program("nats-server", "Debian's nats-server"), program("openssl", "Debian's openssl")
    folder = tmp_path_factory.mktemp("nats")
    here = Secured(folder, free_port(), free_port())
    (folder / "accounts").mkdir()
    here.setup("init")
    here.setup("add", "b1")
    here.setup("add", "b2")
    cluster, monitor = free_port(), free_port()
    config = (DEPLOY / "nats" / "nats.conf").read_text(encoding="utf-8")
    config = config.replace("0.0.0.0:4222", f"127.0.0.1:{here.port}").replace("8222", str(monitor))
    # Alone: a cluster of one would wait for the others before it serves streams.
    settings = folder / "accounts" / "settings.conf"
    lines = settings.read_text().replace("0.0.0.0:8883", f"127.0.0.1:{here.mqtt_port}").splitlines()
    settings.write_text("\n".join(line for line in lines if not line.startswith("cluster ")))
    assert any(line.startswith("cluster ") for line in lines)
    del cluster
    (folder / "nats.conf").write_text(config)
    log = folder / "nats.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [server, "-c", str(folder / "nats.conf")],
            stderr=stderr,
            env={**os.environ, "NATS_NAME": "n1", "NATS_STORE": str(folder / "store"), "NATS_ROUTES": "[]"},
        )
    deadline = time.monotonic() + PATIENCE_S
    while "Server is ready" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    try:
        yield here
    finally:
        process.kill()
        process.wait(PATIENCE_S)


async def test_blaster_publishes_its_own_samples_into_its_partition_and_nothing_else(secured: Secured) -> None:
    client = await secured.connect()
    heard: list[str] = []

    async def keep(message: Msg) -> None:
        heard.append(message.subject)

    try:
        stream = client.jetstream()
        await stream.add_stream(StreamConfig(name="SAMPLES", subjects=["hall.*.stinger.*.samples"]))
        await client.subscribe("stinger.>", cb=keep)
        await client.flush()
        for topic in ("stinger/b2/samples", "stinger/b1/shot", "stinger/daemon/command/forget", "stinger/b1/samples"):
            # The server may end the connection of a client that publishes what it may not.
            with suppress(aiomqtt.MqttError):
                async with secured.mqtt("b1", secured.setup("show", "b1")) as blaster:
                    await blaster.publish(topic, b"content", qos=0)
        async with asyncio.timeout(PATIENCE_S):
            while not (await stream.stream_info("SAMPLES")).state.messages:
                await asyncio.sleep(0.02)
        info = await stream.stream_info("SAMPLES", subjects_filter=">")
    finally:
        await client.close()
    assert set(info.state.subjects or {}) == {f"hall.{partition_of('b1', 16)}.stinger.b1.samples"}
    assert heard == []


@pytest.mark.parametrize(("user", "password"), [("b1", "wrong"), ("nobody", "x"), ("", "")])
async def test_wrong_account_is_refused(secured: Secured, user: str, password: str) -> None:
    with pytest.raises(aiomqtt.MqttError):
        async with secured.mqtt(user, password):
            pass


async def test_blaster_may_not_read(secured: Secured) -> None:
    async with secured.mqtt("b2", secured.setup("show", "b2")) as blaster:
        (code,) = await blaster.subscribe("stinger/b1/samples")
    assert code == 0x80


def test_accounts_are_kept_private_and_names_are_checked(tmp_path: Path) -> None:
    program("openssl", "Debian's openssl")
    here = Secured(tmp_path, 0, 0)
    (tmp_path / "accounts").mkdir(mode=0o700)
    here.setup("init")
    first = (tmp_path / "accounts" / "ca.crt").read_bytes(), here.setup("show", "stinger")
    here.setup("init")
    assert first == ((tmp_path / "accounts" / "ca.crt").read_bytes(), here.setup("show", "stinger"))
    password = here.setup("add", "b7")
    assert here.setup("show", "b7") == password
    for path in (tmp_path / "accounts").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    for name in ("", "a b", "../x", "stinger", "b7"):
        done = run_program("env", f"NATS_FOLDER={tmp_path / 'accounts'}", "sh", SETUP, "add", name)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), name
    here.setup("remove", "b7")
    assert '"b7"' not in (tmp_path / "accounts" / "settings.conf").read_text()

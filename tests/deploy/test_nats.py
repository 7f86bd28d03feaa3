"""The files for a cluster of NATS servers: certificates, accounts, and what a blaster's account may do."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
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
from tests.helpers.nats_servers import nats_program
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


@contextmanager
def server_running(folder: Path, config: str, name: str, routes: str) -> Iterator[Path]:
    """Run a server of the project's ``config``, in which ports were replaced; yield its log when it is ready."""
    program("openssl", "Debian's openssl")
    path, log = folder / f"{name}.conf", folder / f"{name}.log"
    path.write_text(config)
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [nats_program(), "-c", str(path)],
            stderr=stderr,
            env={**os.environ, "NATS_NAME": name, "NATS_STORE": str(folder / f"store-{name}"), "NATS_ROUTES": routes},
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while "Server is ready" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield log
    finally:
        process.kill()
        process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("nats")
    here = Secured(folder, free_port(), free_port())
    (folder / "accounts").mkdir()
    here.setup("init")
    here.setup("add", "b1")
    here.setup("add", "b2")
    config = (DEPLOY / "nats" / "nats.conf").read_text(encoding="utf-8")
    config = config.replace("0.0.0.0:4222", f"127.0.0.1:{here.port}").replace("8222", str(free_port()))
    # Alone: a cluster of one would wait for the others before it serves streams.
    settings = folder / "accounts" / "settings.conf"
    lines = settings.read_text().replace("0.0.0.0:8883", f"127.0.0.1:{here.mqtt_port}").splitlines()
    settings.write_text("\n".join(line for line in lines if not line.startswith("cluster ")))
    assert any(line.startswith("cluster ") for line in lines)
    with server_running(folder, config, "n1", "[]"):
        yield here


def member_config(here: Secured, name: str, port: int, settings: str) -> str:
    """Return the configuration of the server ``name`` of a cluster, which others reach at ``port``.

    ``settings`` is what setup.sh wrote; the server's copy is kept beside it.
    """
    own = settings.replace("0.0.0.0:8883", f"127.0.0.1:{free_port()}").replace("0.0.0.0:6222", f"127.0.0.1:{port}")
    assert own.count("127.0.0.1") == 2
    (here.folder / "accounts" / f"{name}.conf").write_text(own)
    listen = here.port if name == "n1" else free_port()
    config = (DEPLOY / "nats" / "nats.conf").read_text(encoding="utf-8")
    moved = config.replace("0.0.0.0:4222", f"127.0.0.1:{listen}").replace("8222", str(free_port()))
    return moved.replace("accounts/settings.conf", f"accounts/{name}.conf")


def greeting(port: int, tls: ssl.SSLContext) -> bytes:
    """Connect as a server of the cluster does; return what the server at ``port`` sends first, nothing if it refuses."""
    with (
        suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as plain,
        tls.wrap_socket(plain, server_hostname="localhost") as joining,
    ):
        return joining.recv(4096)
    return b""


def test_only_a_server_with_a_certificate_of_the_cluster_is_greeted(tmp_path: Path) -> None:
    here = Secured(tmp_path, free_port(), free_port())
    accounts = tmp_path / "accounts"
    accounts.mkdir()
    here.setup("init")
    port = free_port()
    config = member_config(here, "n1", port, (accounts / "settings.conf").read_text())
    routes = f"[nats-route://localhost:{port}, nats-route://localhost:{free_port()}]"
    certified = here.tls
    certified.load_cert_chain(accounts / "server.crt", accounts / "server.key")
    with server_running(tmp_path, config, "n1", routes) as log:
        deadline = time.monotonic() + PATIENCE_S
        assert greeting(port, here.tls) == b""
        while "TLS route handshake error" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        while not greeting(port, certified).startswith(b"INFO {"):  # the server waits two seconds for a handshake
            assert time.monotonic() < deadline, log.read_text()


@pytest.mark.slow
async def test_servers_of_a_cluster_accept_only_each_other(tmp_path: Path) -> None:
    here = Secured(tmp_path, free_port(), free_port())
    (tmp_path / "accounts").mkdir()
    here.setup("init")
    settings = (tmp_path / "accounts" / "settings.conf").read_text()
    ports = [free_port() for _ in range(3)]
    routes = "[" + ", ".join(f"nats-route://localhost:{port}" for port in ports) + "]"
    with ExitStack() as stack:
        for number, port in enumerate(ports, start=1):
            stack.enter_context(
                server_running(tmp_path, member_config(here, f"n{number}", port, settings), f"n{number}", routes)
            )
        client = await here.connect()
        try:
            stored = StreamConfig(name="SAMPLES", subjects=["hall.*.stinger.*.samples"], num_replicas=3)
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        await client.jetstream(timeout=10).add_stream(stored)
                        break
                    except (nats.errors.Error, TimeoutError):  # no leader yet
                        await asyncio.sleep(0.2)
            await client.jetstream().publish("hall.3.stinger.b1.samples", b"content")
            info = await client.jetstream().stream_info("SAMPLES")
            assert info.cluster is not None
            assert len(info.cluster.replicas or []) == 2
        finally:
            await client.close()
        before, _, after = settings.partition("cluster {")
        plain = before + "cluster {" + re.sub(r", tls \{[^}]*\}", "", after, count=1)
        assert plain != settings
        stranger = member_config(here, "stranger", free_port(), plain)
        log = stack.enter_context(server_running(tmp_path, stranger, "stranger", routes))
        deadline = time.monotonic() + PATIENCE_S
        while "TLS route handshake error" not in (tmp_path / "n1.log").read_text():
            assert time.monotonic() < deadline, log.read_text()
            await asyncio.sleep(0.1)
        assert "JetStream cluster new metadata leader" not in log.read_text()


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
